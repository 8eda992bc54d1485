//! Bundles that were altered, or made by somebody else.

use greylag_infra::{RunId, WallTime};
use proptest::prelude::*;
use rusqlite::types::Value;
use sha2::{Digest, Sha256};

use super::{RUN, SECONDS, add_run, dump, empty_store, export, import, leftovers};
use crate::measure::custom::{MetricSums, pack};
use crate::store::bundle::error::BundleError;
use crate::store::bundle::frames::{BundleReader, BundleWriter, Cell, Frame, Head};
use crate::store::schema::SCHEMA;
use crate::store::{AnnotationChange, Scope, Store, StoreError, Window};

/// The same bytes with the hash that they would have.
fn hashed(mut bundle: Vec<u8>) -> Vec<u8> {
    bundle.truncate(bundle.len().saturating_sub(32));
    let hash = Sha256::digest(&bundle);
    bundle.extend(hash);
    bundle
}

#[test]
fn what_was_altered_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (bundle, dir, to) = runtime.block_on(async {
        let (_dir, from) = empty_store().await;
        add_run(&from, RUN, "checkout").await;
        let (dir, to) = empty_store().await;
        add_run(&to, "other", "checkout").await;
        (export(&from, RUN).await.unwrap(), dir, to)
    });
    let before = dump(dir.path());
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(at in any::<prop::sample::Index>(), bit in 0..8_u8)| {
        let (mut flipped, cut) = (bundle.clone(), bundle[..at.index(bundle.len())].to_vec());
        flipped[at.index(bundle.len())] ^= 1 << bit;
        let longer = [&bundle[..], &[bit]].concat();
        let rehashed = hashed(flipped.clone());
        for altered in [&flipped, &cut, &longer] {
            let refused = runtime.block_on(import(&to, altered));
            prop_assert!(matches!(refused, Err(BundleError::OtherHash | BundleError::NotABundle)), "{refused:?}");
        }
        // Behind a hash that is right the parts have theirs: what does not change the rows may pass.
        // A run that was taken in and deleted leaves its number behind, so each case has a store of its own.
        let (fresh_dir, fresh) = runtime.block_on(empty_store());
        let empty = dump(fresh_dir.path());
        if let Ok(run) = runtime.block_on(import(&fresh, &rehashed)) {
            prop_assert_eq!(runtime.block_on(export(&fresh, run.id.as_str())).unwrap().len(), bundle.len());
        } else {
            prop_assert_eq!(&dump(fresh_dir.path()), &empty);
        }
        prop_assert_eq!(&dump(dir.path()), &before);
        prop_assert_eq!(leftovers(dir.path()), 0);
    });
    let twice = [&bundle[..], &bundle].concat();
    for (what, altered) in [
        ("twice", hashed(twice)),
        ("nothing", Vec::new()),
        ("text", b"hello".repeat(20)),
    ] {
        assert!(runtime.block_on(import(&to, &altered)).is_err(), "{what}");
    }
}

/// A bundle whose rows were changed, with hashes that are right.
fn remade(
    bundle: &[u8],
    head: Head,
    mut change: impl FnMut(&str, &mut Vec<String>, &mut Vec<Vec<Cell>>),
) -> Vec<u8> {
    let mut reader = BundleReader::new(bundle, bundle.len() as u64).unwrap();
    let mut writer = BundleWriter::new(head);
    let mut table: Option<(String, Vec<String>, Vec<Vec<Cell>>)> = None;
    let mut put = |writer: &mut BundleWriter,
                   table: Option<(String, Vec<String>, Vec<Vec<Cell>>)>| {
        if let Some((name, mut columns, mut rows)) = table {
            change(&name, &mut columns, &mut rows);
            writer.table(&name, &columns);
            writer.rows(rows);
        }
    };
    loop {
        match reader.next().unwrap() {
            Frame::Head(_) => {}
            Frame::Table { name, columns } => {
                put(&mut writer, table.replace((name, columns, Vec::new())))
            }
            Frame::Rows(rows) => table.as_mut().unwrap().2.extend(rows),
            Frame::End { .. } => break,
        }
    }
    put(&mut writer, table);
    let bytes = writer.take();
    [bytes, writer.finish()].concat()
}

#[tokio::test]
async fn what_this_program_would_not_write_is_refused_with_its_place() {
    let (_dir, from) = empty_store().await;
    add_run(&from, RUN, "checkout").await;
    let bundle = export(&from, RUN).await.unwrap();
    let (dir, to) = empty_store().await;
    let before = dump(dir.path());
    let head = |schema: i64| Head {
        schema,
        greylag: "9.9.9".to_owned(),
    };
    let set = |of: &'static str, column: &'static str, value: Value| {
        move |name: &str, columns: &mut Vec<String>, rows: &mut Vec<Vec<Cell>>| {
            if name == of {
                let at = columns.iter().position(|known| known == column).unwrap();
                rows[0][at] = Cell(value.clone());
            }
        }
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let blob = |bytes: &[u8]| Value::Blob(bytes.to_owned());
    let now = SCHEMA;
    let mut below_zero = MetricSums::default();
    below_zero.record(-1, 0, false);
    for (altered, words) in [
        (
            remade(&bundle, head(now + 1), |_, _, _| {}),
            "made by Greylag 9.9.9 with schema",
        ),
        (
            remade(&bundle, head(25), |_, _, _| {}),
            "the oldest that is read is 26",
        ),
        (
            remade(&bundle, head(now), set("runs", "id", text("../x"))),
            "letters and digits",
        ),
        (
            remade(&bundle, head(now), set("runs", "test", text("other"))),
            "two names",
        ),
        (
            remade(&bundle, head(now), set("runs", "labels", text("x"))),
            "what is kept of the run",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("runs", "threshold_results", text("x")),
            ),
            "what is kept of the run",
        ),
        (
            remade(&bundle, head(now), set("runs", "baselines", text("{"))),
            "what is kept of the run",
        ),
        // A byte of a file each, and thirty in memory.
        (
            remade(&bundle, head(now), |_, _, rows| {
                rows[0] = vec![Cell(Value::Null); 101];
            }),
            "a list of at most 100",
        ),
        (
            remade(&bundle, head(now), |_, _, rows| {
                *rows = vec![Vec::new(); 10_001];
            }),
            "a list of at most 10000",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("runs", "phase", text("\"Running\"")),
            ),
            "not over",
        ),
        (
            remade(&bundle, head(now), set("runs", "definition", text("{}"))),
            "table runs",
        ),
        (
            remade(&bundle, head(now), set("runs", "number", text("1"))),
            "table runs, row 1: the column number",
        ),
        (
            remade(&bundle, head(now), set("runs", "number", Value::Real(1.0))),
            "inside",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("runs", "last_second", Value::Integer(1 << 40)),
            ),
            "too long",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("intervals", "level", Value::Integer(9)),
            ),
            "table intervals",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("intervals", "histogram", blob(b"xy")),
            ),
            "table intervals",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("agent_intervals", "packed", blob(b"xy")),
            ),
            "table agent_intervals",
        ),
        (
            remade(&bundle, head(now), set("samples", "packed", blob(b"xy"))),
            "table samples",
        ),
        (
            remade(&bundle, head(now), set("health", "packed", blob(b"xy"))),
            "table health",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("custom_values", "packed", blob(b"xy")),
            ),
            "table custom_values",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("tag_intervals", "histogram", blob(b"xy")),
            ),
            "table tag_intervals",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("tag_intervals", "tag", Value::Text("other".into())),
            ),
            "a row is of a tag that no threshold of the run is about",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("tag_intervals", "bucket", Value::Integer(-1)),
            ),
            "table tag_intervals",
        ),
        (
            // The counter's.
            remade(
                &bundle,
                head(now),
                set("custom_values", "packed", blob(&pack(&below_zero))),
            ),
            "the values of a counter cannot be these",
        ),
        (
            remade(&bundle, head(now), |name, _, rows| {
                if name == "custom_values" {
                    rows.insert(1, rows[0].clone());
                }
            }),
            "table custom_values, row 2",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("error_samples", "packed", blob(b"xy")),
            ),
            "table error_samples",
        ),
        (
            remade(
                &bundle,
                head(now),
                set("saturated", "seconds", blob(&[0; 65])),
            ),
            "table saturated",
        ),
        (
            remade(&bundle, head(now), |name, columns, _| {
                if name == "log" {
                    columns[0] = "rowid".to_owned();
                }
            }),
            "table log: the column `rowid`",
        ),
        (
            remade(&bundle, head(now), |name, _, rows| {
                if name == "endpoints" {
                    rows.push(rows[0].clone());
                }
            }),
            "table endpoints, row 3",
        ),
        (
            remade(&bundle, head(now), |name, _, rows| {
                if name == "runs" {
                    rows.clear();
                }
            }),
            "one run",
        ),
        (
            hashed([b"greylag bundle 7\n", &bundle[17..]].concat()),
            "format 7",
        ),
    ] {
        let refused = import(&to, &altered).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
        assert_eq!(dump(dir.path()), before, "{words}");
    }
    // The same without a change is taken.
    let same = remade(&bundle, head(now), |_, _, _| {});
    import(&to, &same).await.unwrap();
}

/// What stands behind the last second is in no window; of tags it would be counted, and the run judged again at each look at it.
#[tokio::test]
async fn rows_behind_the_last_second_of_the_run_are_refused() {
    let (_dir, from) = empty_store().await;
    add_run(&from, RUN, "checkout").await;
    let bundle = export(&from, RUN).await.unwrap();
    let (dir, to) = empty_store().await;
    let before = dump(dir.path());
    let moved = |of: &str, column: &str, value: i64| {
        let head = Head {
            schema: SCHEMA,
            greylag: String::new(),
        };
        remade(&bundle, head, |name, columns, rows| {
            if name == of {
                let at = columns.iter().position(|known| known == column).unwrap();
                rows.last_mut().unwrap()[at] = Cell(Value::Integer(value));
            }
        })
    };
    let end = i64::from(SECONDS);
    for (table, column, behind) in [
        ("intervals", "bucket", end),
        ("errors", "bucket", end),
        ("seconds", "bucket", end),
        ("agent_seconds", "bucket", end),
        ("agent_intervals", "bucket", end),
        ("samples", "bucket", end),
        ("custom_values", "bucket", end),
        ("tag_intervals", "bucket", end),
        ("error_samples", "at_us", end * 1_000_000),
        // These have rows of later seconds, too, but not of any.
        ("health", "bucket", 1 << 40),
        ("saturated", "bucket", 1 << 40),
    ] {
        let altered = moved(table, column, behind);
        let refused = import(&to, &altered).await.unwrap_err().to_string();
        let place = format!("table {table}: a row is outside of the run");
        assert!(refused.contains(&place), "{table}: {refused}");
        assert_eq!(dump(dir.path()), before, "{table}");
    }
    // The last second is the run's.
    let altered = moved("error_samples", "at_us", end * 1_000_000 - 1);
    import(&to, &altered).await.unwrap();
}

/// Reads everything of a run that pages and the API show; the error of what cannot be read.
async fn read_all(store: &Store, id: &RunId) -> Result<(), StoreError> {
    let Some(record) = store.run(id).await? else {
        return Ok(());
    };
    let now = WallTime::of_system();
    let window = Window::new(3, 50).unwrap();
    for scope in [
        Scope::default(),
        Scope::of_window(window),
        Scope {
            agent: Some("name of a".to_owned()),
            ..Scope::default()
        },
        Scope {
            without_saturated: true,
            ..Scope::default()
        },
    ] {
        store.totals(id, &scope).await?;
        store.series(id, &scope, 100).await?;
        store.samples(id, &scope, 0, 100).await?;
        store.sample_details(id, &scope, 100).await?;
        store.kept_samples(id, &scope, 0, 60).await?;
        store.log(id, &scope, 0, 100).await?;
        store.history(id, &scope, 0, 60).await?;
        store.errors(id, &scope).await?;
        store.error_samples(id, &scope, None, 100).await?;
        store.worker_rows(id, &scope).await?;
        store.notices(id, &scope).await?;
        store.generator_health(id, &scope).await?;
        store.current_rps(&record, &scope, now).await?;
    }
    store.threshold_results(&record).await?;
    store.annotations(id).await?;
    store.last_log_lines(id, &Scope::default(), 0, 100).await?;
    store.tests().await?;
    Ok(())
}

/// Whatever numbers a bundle has, what is read of its run is an answer or an error.
#[test]
fn no_numbers_of_a_bundle_make_anything_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (bundle, _dir, to) = runtime.block_on(async {
        let (_dir, from) = empty_store().await;
        add_run(&from, RUN, "checkout").await;
        let (dir, to) = empty_store().await;
        (export(&from, RUN).await.unwrap(), dir, to)
    });
    let config = ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let numbers = prop_oneof![
        Just(-1_i64),
        Just(i64::MIN),
        Just(i64::MAX),
        Just(1 << 32),
        any::<i64>(),
        0..200_i64,
    ];
    let indexes = any::<[prop::sample::Index; 3]>();
    proptest!(config, |([table, row, column] in indexes, number in numbers)| {
        let head = Head { schema: SCHEMA, greylag: String::new() };
        let mut tables = 0;
        remade(&bundle, head.clone(), |_, _, _| tables += 1);
        let (wanted, mut at) = (table.index(tables), 0);
        let changed = remade(&bundle, head, |_, _, rows| {
            if at == wanted && !rows.is_empty() {
                let row = row.index(rows.len());
                let cells: Vec<&mut Cell> = rows[row].iter_mut().filter(|Cell(cell)| matches!(cell, Value::Integer(_))).collect();
                if !cells.is_empty() {
                    let column = column.index(cells.len());
                    cells.into_iter().nth(column).unwrap().0 = Value::Integer(number);
                }
            }
            at += 1;
        });
        if let Ok(run) = runtime.block_on(import(&to, &changed)) {
            let read = runtime.block_on(read_all(&to, &run.id));
            // A thread that panicked looks like a store that is closed, and by nothing else.
            prop_assert!(!matches!(read, Err(StoreError::Closed)), "{read:?}");
            runtime.block_on(async {
                let unpinned = AnnotationChange { pinned: Some(false), ..AnnotationChange::default() };
                to.annotate(&run.id, unpinned).await.unwrap();
                to.delete_run(&run.id).await.unwrap();
            });
        }
    });
}
