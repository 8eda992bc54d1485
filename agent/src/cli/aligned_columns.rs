//! Tables for terminals.

use unicode_width::UnicodeWidthStr;

/// Blanks between columns.
const GAP: usize = 2;

/// Rows as lines, in which columns begin below each other. Cells are as wide as terminals show them: letters of some scripts take two places.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]]) -> impl Iterator<Item = String> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.max().unwrap_or_default()
    });
    rows.iter().map(move |row| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.width() + GAP));
        }
        line.truncate(line.trim_end().len());
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_begin_below_each_other_in_every_script() {
        let rows = [["a", "1", "x"], ["été", "22", ""], ["日本", "3", "y"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let lines: Vec<_> = aligned(&rows).collect();
        assert_eq!(lines, ["a     1   x", "été   22", "日本  3   y"]);
        assert_eq!(aligned::<2>(&[]).count(), 0);
    }
}
