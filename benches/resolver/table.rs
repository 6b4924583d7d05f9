//! The table of figures: medians of the rounds, both resolvers side by side.

use crate::process::Kind;

/// Figures of one measurement.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    /// What is asked of Stairgate, in words.
    asked: &'static str,
    decimals: usize,
    values: [Vec<f64>; 2],
}

impl Table {
    /// Adds a round's figure of `kind`.
    pub fn add(&mut self, what: &'static str, asked: &'static str, decimals: usize, kind: Kind, value: f64) {
        let at = self.rows.iter().position(|row| row.what == what).unwrap_or_else(|| {
            self.rows.push(Row {
                what,
                asked,
                decimals,
                values: Default::default(),
            });
            self.rows.len() - 1
        });
        self.rows[at].values[kind as usize].push(value);
    }

    /// Prints it as lines of a Markdown table.
    pub fn print(&self, title: &str) {
        println!("\n{title}\n");
        println!(
            "| {:<58} | {:>18} | {:>12} | {:>12} |",
            "", "asked", "Unbound", "Stairgate"
        );
        println!("| {:-<58} | {:->17}: | {:->11}: | {:->11}: |", "", "", "", "");
        for row in &self.rows {
            let show = |kind: Kind| match median(&row.values[kind as usize]) {
                Some(value) => format!("{value:.*}", row.decimals),
                None => "missing".to_owned(),
            };
            println!(
                "| {:<58} | {:>18} | {:>12} | {:>12} |",
                row.what,
                row.asked,
                show(Kind::Unbound),
                show(Kind::Stairgate)
            );
        }
    }
}

/// The middle one; the lower one of two.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value that `share` of all do not exceed.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied()
}
