//! The eight ways in which a picture may lie on its copy, and what they make of a description.

use super::patch::{CELLS, Code, DIRECTIONS};
use std::sync::LazyLock;

/// One of the eight ways to lay a square on itself: columns reversed, then quarter turns clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symmetry {
    /// Whether left and right change places first.
    pub mirrored: bool,
    /// Quarter turns clockwise after that, 0 to 3.
    pub turns: u8,
}

impl Symmetry {
    /// The one that undoes it.
    pub fn inverse(self) -> Self {
        if self.mirrored { self } else { Self { turns: (4 - self.turns) % 4, ..self } }
    }

    /// All eight.
    pub const ALL: [Self; 8] = {
        let mut all = [Self { mirrored: false, turns: 0 }; 8];
        let mut i = 0;
        while i < 8 {
            all[i] = Self { mirrored: i >= 4, turns: (i % 4) as u8 };
            i += 1;
        }
        all
    };

    /// Its place in [`Symmetry::ALL`].
    pub fn number(self) -> usize {
        usize::from(self.mirrored) * 4 + usize::from(self.turns)
    }

    /// First `self`, then `next`.
    pub fn then(self, next: Self) -> Self {
        // A mirror undoes a turn before it the other way round.
        let turns = if next.mirrored { 4 - self.turns } else { self.turns };
        Self { mirrored: self.mirrored != next.mirrored, turns: (turns + next.turns) % 4 }
    }

    /// Where `(x, y)`, relative to the middle and y pointing down, comes to lie.
    pub fn apply(self, x: f32, y: f32) -> (f32, f32) {
        let x = if self.mirrored { -x } else { x };
        match self.turns {
            0 => (x, y),
            1 => (-y, x),
            2 => (-x, -y),
            _ => (y, -x),
        }
    }

    /// For each bit of a code, the bit that it becomes.
    pub fn permutation(self) -> [u8; 128] {
        let middle = (CELLS - 1) as f32 / 2.0;
        let mut to = [0; 128];
        for (bit, to) in to.iter_mut().enumerate() {
            let (cell, direction) = (bit / DIRECTIONS, bit % DIRECTIONS);
            let (row, column) = ((cell / CELLS) as f32 - middle, (cell % CELLS) as f32 - middle);
            let (x, y) = self.apply(column, row);
            let direction =
                if self.mirrored { DIRECTIONS / 2 + DIRECTIONS - direction } else { direction };
            let direction = (direction + self.turns as usize * 2) % DIRECTIONS;
            let cell = (y + middle) as usize * CELLS + (x + middle) as usize;
            *to = (cell * DIRECTIONS + direction) as u8;
        }
        to
    }
}

/// `code` as it would be if the patch were laid so.
pub fn moved(code: Code, symmetry: Symmetry) -> Code {
    static CELL: LazyLock<[[u8; CELLS * CELLS]; 8]> = LazyLock::new(|| {
        Symmetry::ALL.map(|symmetry| {
            let to = symmetry.permutation();
            std::array::from_fn(|cell| to[cell * DIRECTIONS] / DIRECTIONS as u8)
        })
    });
    let cells = &CELL[symmetry.number()];
    let turn = u32::from(symmetry.turns) * 2;
    let mut to = [0; CELLS * CELLS];
    for (cell, &directions) in code.to_le_bytes().iter().enumerate() {
        // A mirror reverses the directions, of which 0 becomes 4.
        let side =
            if symmetry.mirrored { directions.reverse_bits().rotate_left(5) } else { directions };
        to[cells[cell] as usize] = side.rotate_left(turn);
    }
    Code::from_le_bytes(to)
}
