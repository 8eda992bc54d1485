//! Processor time of a load generator per request: Greylag beside wrk, oha, plain goose and Locust.
//!
//! All are measured in one run, in rotation: first each once, then each once more. The target has one core, the
//! generator with all its processes another. Requests are counted at the server. Processor time and requests are those
//! of a window in the middle of each run, so that neither starting nor ending counts, for anyone.

mod arguments;
mod case;
mod generator;
mod table;
mod target;

use std::time::Duration;

use greylag_tests::Process;

use self::arguments::{Arguments, USAGE};
use self::case::Case;
use self::generator::{Generator, USERS};

use self::table::{Cell, Table};
use self::target::Target;
use crate::install::Tools;
use crate::readme;
use crate::window::{AROUND_S, Window, watch};
use crate::{TARGET_CORE, pin};

/// How long a generator may take to end after its time.
const END: Duration = Duration::from_secs(60);
/// How often a window that other processes disturbed is measured again.
const REPEATS: u32 = 2;
/// Requests that a generator may count more or less than the server, in parts of all: those that were cut off at its end.
const TOLERANCE: f64 = 0.02;

/// Measures, prints the tables, and replaces that of the README if that is asked for.
pub(crate) async fn measure(arguments: &[&str]) {
    let arguments =
        Arguments::read(arguments).unwrap_or_else(|problem| panic!("{problem}; use {USAGE}"));
    let tools = Tools::find().await;
    // What looks on takes its time from the target's core.
    pin(std::process::id(), TARGET_CORE);
    let target = Target::start().await;
    let mut cells = Vec::new();
    for &case in &arguments.cases {
        for &generator in &arguments.generators {
            if generator.takes_part_in(case) {
                let windows = Vec::new();
                cells.push(Cell {
                    case,
                    generator,
                    windows,
                });
            }
        }
    }
    for _ in 0..arguments.rotations {
        for cell in &mut cells {
            let mut window = run(
                &tools,
                &target,
                cell.generator,
                cell.case,
                arguments.seconds,
            )
            .await;
            for _ in 0..REPEATS {
                if !window.is_disturbed() {
                    break;
                }
                window = run(
                    &tools,
                    &target,
                    cell.generator,
                    cell.case,
                    arguments.seconds,
                )
                .await;
            }
            cell.windows.push(window);
        }
    }
    let table = Table {
        cells,
        seconds: arguments.seconds,
        rotations: arguments.rotations,
    };
    table.print();
    if arguments.write {
        assert!(
            !table.is_disturbed(),
            "other processes took part of the machine: these figures are not for the README"
        );
        readme::replace("peers", &table.for_readme(&readme::when_and_where()));
    }
}

async fn run(
    tools: &Tools,
    target: &Target,
    generator: Generator,
    case: Case,
    seconds: u64,
) -> Window {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let before = target.requests().await;
    let mut command = generator.command(
        tools,
        case,
        &target.host(case),
        seconds + AROUND_S,
        directory.path(),
    );
    let mut process = Process::start(generator.title(), &mut command);
    let window = watch(&process, async || target.requests().await, seconds).await;
    let ended = process.wait(END).await;
    let served = target.requests().await - before;
    let counted = generator.counted(&ended, directory.path());
    let difference = counted.abs_diff(served) as f64;
    assert!(
        difference <= f64::from(USERS) + served as f64 * TOLERANCE,
        "{} counted {counted} requests, the server {served}: {ended:?}",
        generator.title()
    );
    window
}
