//! What was measured: on the terminal in full, for the README in short.

use std::fmt::Write;

use super::case::Case;
use super::generator::{Generator, USERS};
use crate::median;
use crate::window::Window;

/// All windows of one generator in one case.
pub(super) struct Cell {
    pub(super) case: Case,
    pub(super) generator: Generator,
    pub(super) windows: Vec<Window>,
}

impl Cell {
    fn all(&self, number: impl Fn(&Window) -> f64) -> Vec<f64> {
        self.windows.iter().map(number).collect()
    }

    /// In how many windows other processes took part of the machine.
    fn disturbed(&self) -> usize {
        let windows = self.windows.iter();
        windows.filter(|window| window.is_disturbed()).count()
    }

    /// µs of processor time per request, of all processes.
    fn cost(&self) -> f64 {
        median(self.all(Window::us_per_request))
    }
}

/// The results of all.
pub(super) struct Table {
    pub(super) cells: Vec<Cell>,
    pub(super) seconds: u64,
    pub(super) rotations: usize,
}

impl Table {
    fn cell(&self, case: Case, generator: Generator) -> Option<&Cell> {
        let matches = |cell: &&Cell| cell.case == case && cell.generator == generator;
        self.cells.iter().find(matches)
    }

    fn how(&self) -> String {
        format!(
            "{USERS} users without waits, medians of {} x {} s in rotation",
            self.rotations, self.seconds
        )
    }

    /// Whether other processes took part of the machine in so many windows of a generator that its median may be one of them.
    pub(super) fn is_disturbed(&self) -> bool {
        self.cells
            .iter()
            .any(|cell| 2 * cell.disturbed() >= cell.windows.len())
    }

    /// A table per case, with everything.
    pub(super) fn print(&self) {
        println!(
            "\nProcessor time of the generator per request: {}",
            self.how()
        );
        if self.is_disturbed() {
            println!(
                "NOT TO BE TRUSTED: other processes took part of the machine; the rows say in how many windows"
            );
        }
        for case in Case::ALL {
            let cells: Vec<_> = self.cells.iter().filter(|cell| cell.case == case).collect();
            if cells.is_empty() {
                continue;
            }
            println!("\n{}\n", case.title());
            println!(
                "| generator | µs per request | least to greatest | of wrk | of oha | requests per second | disturbed |"
            );
            println!("|---|---|---|---|---|---|---|");
            let of = |peer, cost: f64| match self.cell(case, peer) {
                Some(peer) => format!("{:.2}", cost / peer.cost()),
                None => "–".to_owned(),
            };
            for cell in cells {
                let disturbed = cell.disturbed();
                let row = |name: &str, costs: Vec<f64>| {
                    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
                    let greatest = costs.iter().copied().fold(0.0, f64::max);
                    let cost = median(costs);
                    println!(
                        "| {name} | {cost:.2} | {least:.2} to {greatest:.2} | {} | {} | {:.0} | {disturbed} of {} |",
                        of(Generator::Wrk, cost),
                        of(Generator::Oha, cost),
                        median(cell.all(Window::requests_per_second)),
                        cell.windows.len(),
                    );
                };
                row(&cell.generator.title(), cell.all(Window::us_per_request));
                if let Generator::Greylag(..) = cell.generator {
                    let name = "– of it in worker processes";
                    row(name, cell.all(Window::workers_us_per_request));
                }
            }
        }
    }

    /// One table: a row per generator, a column per case.
    pub(super) fn for_readme(&self, machine: &str) -> String {
        let mut text = format!(
            "Processor time of the generator per request in µs, in brackets relative to wrk ({machine}): {}. \
             Greylag is the whole `greylag run`: coordinator, agent and workers.\n\n|  |",
            self.how()
        );
        let cases: Vec<Case> = Case::ALL.to_vec();
        for case in &cases {
            let _ = write!(text, " {} |", case.title());
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(cases.len()));
        for generator in Generator::ALL {
            let _ = write!(text, "\n| {} |", generator.title());
            for &case in &cases {
                let Some(cell) = self.cell(case, generator) else {
                    text.push_str("  |");
                    continue;
                };
                let cost = cell.cost();
                let of_wrk = self.cell(case, Generator::Wrk).map_or(1.0, Cell::cost);
                let _ = write!(text, " {cost:.1} ({:.2}) |", cost / of_wrk);
            }
        }
        text
    }
}
