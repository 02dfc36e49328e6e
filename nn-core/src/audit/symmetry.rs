//! The eight symmetries of a square (the dihedral group D4): quarter turns with or without a reflection.

/// A symmetry of the square: an optional horizontal reflection, then quarter turns clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symmetry {
    /// Whether left and right are swapped first.
    pub mirrored: bool,
    /// Quarter turns clockwise after that, 0 to 3.
    pub turns: u8,
}

impl Symmetry {
    /// The inverse.
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

    /// Its index in [`Symmetry::ALL`].
    pub fn number(self) -> usize {
        usize::from(self.mirrored) * 4 + usize::from(self.turns)
    }

    /// The composition: first `self`, then `next`.
    pub fn then(self, next: Self) -> Self {
        // A reflection after a turn equals the inverse turn after the reflection.
        let turns = if next.mirrored { 4 - self.turns } else { self.turns };
        Self { mirrored: self.mirrored != next.mirrored, turns: (turns + next.turns) % 4 }
    }

    /// The image of the point `(x, y)`, relative to the centre, with y pointing down.
    pub fn apply(self, x: f32, y: f32) -> (f32, f32) {
        let x = if self.mirrored { -x } else { x };
        match self.turns {
            0 => (x, y),
            1 => (-y, x),
            2 => (-x, -y),
            _ => (y, -x),
        }
    }
}
