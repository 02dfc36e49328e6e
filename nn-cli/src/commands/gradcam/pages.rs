//! Overview pages with many overlays.

use super::Method;
use super::look::Look;
use crate::args::GradcamArgs;
use crate::failure::Failure;
use nn_figures::overlays::{self, GRID_MOST, HeatFigure, encode};
use nn_staging::Stage;

/// Overview pages, each written when it is full.
pub struct Pages {
    title: String,
    model: String,
    waiting: Vec<Look>,
    seen: usize,
    written: Vec<String>,
}

impl Pages {
    pub fn new(method: &Method, args: &GradcamArgs) -> Self {
        let (title, model) = (method.describe(), args.model.model.display().to_string());
        Self { title, model, waiting: Vec::new(), seen: 0, written: Vec::new() }
    }

    pub fn add(&mut self, mut look: Look, stage: &Stage) -> Result<(), Failure> {
        // The picture is already written and takes much memory.
        look.png = Vec::new();
        self.waiting.push(look);
        self.seen += 1;
        if self.waiting.len() == GRID_MOST { self.write(stage) } else { Ok(()) }
    }

    /// Writes the last page, and reports the paths of all; a single image has no page.
    pub fn finish(mut self, stage: &Stage) -> Result<Vec<String>, Failure> {
        if self.seen > 1 && !self.waiting.is_empty() {
            self.write(stage)?;
        }
        Ok(self.written)
    }

    fn write(&mut self, stage: &Stage) -> Result<(), Failure> {
        let heats: Vec<_> = self.waiting.iter().map(|look| look.found.normalized()).collect();
        let notes = heats.iter().zip(&self.waiting);
        let shown: Vec<_> = notes
            .map(|(heat, look)| HeatFigure {
                image: &look.thumbnail,
                heat,
                subject: Some(&look.subject.mask),
                title: &look.short,
                class: &look.answer,
                note: "",
                synthetic: look.synthetic,
            })
            .collect();
        let first = self.seen - shown.len() + 1;
        let note = format!("model {} · images {first} to {}", self.model, self.seen);
        let page = encode(&overlays::grid(&self.title, &note, &shown)?)?;
        let name = match self.written.len() {
            0 => "grid.png".to_string(),
            pages => format!("grid-{}.png", pages + 1),
        };
        self.written.push(stage.target().join(&name).display().to_string());
        stage.folder().write(&name, &page)?;
        self.waiting.clear();
        Ok(())
    }
}
