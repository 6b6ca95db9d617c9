//! Rounds to figures, figures to lines.

/// Median, smallest and largest of several rounds.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Summary {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// Of at least one round.
    pub fn of(rounds: &[f64]) -> Summary {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
        let (low, high) = (at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2));
        Summary { median: (low + high) / 2.0, min: at(0), max: at(sorted.len().saturating_sub(1)) }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max {
            return f.write_str(&number(self.median));
        }
        write!(f, "{} ({}-{})", number(self.median), number(self.min), number(self.max))
    }
}

/// Three digits that matter.
pub fn number(n: f64) -> String {
    match n.abs() {
        a if a >= 100.0 => format!("{n:.0}"),
        a if a >= 10.0 => format!("{n:.1}"),
        _ => format!("{n:.2}"),
    }
}

/// One measured thing: both stacks' figures, in the same unit.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The unit of the figures.
    pub unit: &'static str,
    /// Our figure.
    pub synfin: Summary,
    /// The peer's figure; `None` where it has no such call.
    pub smoltcp: Option<Summary>,
}

impl Row {
    /// Our figure divided by the peer's.
    pub fn ratio(&self) -> Option<f64> {
        self.smoltcp.map(|peer| self.synfin.median / peer.median)
    }
}

/// A table in Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut lines =
        vec![["what".into(), "unit".into(), "synfin".into(), "smoltcp".into(), "synfin / smoltcp".into()]];
    for row in rows {
        let none = || "-".to_owned();
        lines.push([
            row.name.clone(),
            row.unit.into(),
            row.synfin.to_string(),
            row.smoltcp.map_or_else(none, |s| s.to_string()),
            row.ratio().map_or_else(none, |r| format!("{r:.2}")),
        ]);
    }
    render(&lines)
}

/// Says so if the figures of this build mean nothing.
pub fn warn_if_slow() {
    if cfg!(debug_assertions) {
        eprintln!("warning: built without --release, the figures mean nothing");
    }
}

/// Cells to lines of equal width; the first line is the head.
pub fn render<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: [usize; N] =
        core::array::from_fn(|i| lines.iter().map(|l| l[i].chars().count()).max().unwrap_or(0));
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            out += &format!("| {cell:width$} ");
        }
        out += "|\n";
        if i == 0 {
            widths.iter().for_each(|w| out += &format!("|{}", "-".repeat(w + 2)));
            out += "|\n";
        }
    }
    out
}

#[cfg(test)]
mod tests;
