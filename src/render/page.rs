//! Lines on a terminal: colour, wrapping, signs.

use crate::plan::ChangeAction;
use crate::text::wrap::wrap;

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

/// What a part of a line is shown as.
#[derive(Clone, Copy, Debug)]
pub enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Red => "31",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Cyan => "36",
        }
    }
}

/// Text under construction.
#[derive(Debug)]
pub struct Page {
    pub out: String,
    pub style: Style,
}

impl Page {
    pub fn ink(&self, ink: Ink, text: &str) -> String {
        match self.style.colour {
            true => format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code()),
            false => text.to_owned(),
        }
    }

    pub fn row(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub fn title(&mut self, text: &str) {
        let title = self.ink(Ink::Bold, text);
        self.out.push('\n');
        self.row(&title);
    }

    /// Text that wraps at the width, its first line after `lead` and the others below it.
    /// `lead_width` is what the lead takes on the screen.
    pub fn wrapped(&mut self, lead: &str, lead_width: usize, text: &str, ink: Option<Ink>) {
        let room = self.style.width.saturating_sub(lead_width).max(24);
        for (index, part) in wrap(text, room).iter().enumerate() {
            let part = ink.map_or_else(|| part.clone(), |ink| self.ink(ink, part));
            match index {
                0 => self.row(&format!("{lead}{part}")),
                _ => self.row(&format!("{}{part}", " ".repeat(lead_width))),
            }
        }
    }

    pub fn sign(&self, action: ChangeAction) -> String {
        let ink = match action {
            ChangeAction::Create => Ink::Green,
            ChangeAction::Update => Ink::Yellow,
            ChangeAction::Delete => Ink::Red,
        };
        self.ink(ink, &action.sign().to_string())
    }
}
