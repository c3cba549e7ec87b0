//! Medians and spread, and the one table that is printed.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

/// Repeated measurements of one thing, in its unit.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub fn add_seconds(&mut self, took: Duration) {
        self.add(took.as_secs_f64());
    }

    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    /// `median unit (smallest … largest, how many)`.
    pub fn show(&self, unit: &str) -> String {
        match self.0.as_slice() {
            [] => "—".to_owned(),
            [one] => format!("{} {unit} (once)", number(*one)),
            [first, .., last] => format!(
                "{} {unit} ({} … {}, n={})",
                number(self.median()),
                number(*first),
                number(*last),
                self.0.len()
            ),
        }
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut samples = Samples::default();
        values.into_iter().for_each(|value| samples.add(value));
        samples
    }
}

/// Three significant digits.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        at_least_100 if at_least_100 >= 100.0 => 0,
        at_least_10 if at_least_10 >= 10.0 => 1,
        at_least_1 if at_least_1 >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// Whether a promise was kept by this run's medians.
pub enum Wanted {
    AtLeast(f64),
    AtMost(f64),
    Nothing,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 5]>,
}

impl Report {
    /// `ratio` compares the two as `wanted` does.
    pub fn row(&mut self, what: &str, ours: String, beside: String, ratio: f64, wanted: Wanted) {
        let told = |word: &str, bound: f64, kept: bool| {
            let verdict = if kept { "kept" } else { "MISSED" };
            format!("{word} {}: {verdict}", number(bound))
        };
        let wanted = match wanted {
            Wanted::AtLeast(bound) => told("at least", bound, ratio >= bound),
            Wanted::AtMost(bound) => told("at most", bound, ratio <= bound),
            Wanted::Nothing => String::new(),
        };
        let ratio = if ratio.is_nan() { String::new() } else { number(ratio) };
        self.rows.push([what.to_owned(), ours, beside, ratio, wanted]);
    }

    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["measured", "orthid", "beside it", "ratio", "wanted"]);
        for row in &self.rows {
            table.add_row(row);
        }
        if let Some(column) = table.column_mut(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }
}
