//! Worker processes that are shell scripts.

use std::time::Duration;

use rustix::process::Pid;
use tokio::time::Instant;

use super::*;

/// The events of a worker that is this shell script.
async fn events_of(script: &str) -> Vec<WorkerEvent> {
    let command = ["/bin/sh", "-c", script].map(OsString::from);
    let (events, mut received) = mpsc::channel(16);
    let process = WorkerProcess::start(
        &worker_command(&command),
        "run".into(),
        3,
        ToWorker::Stop,
        events,
    )
    .unwrap();
    assert!(process.pid() > 0);
    let mut all = Vec::new();
    while let Some(event) = received.recv().await {
        assert_eq!((event.run_id.as_str(), event.worker), ("run", 3));
        all.push(event.event);
    }
    all
}

#[tokio::test]
async fn output_and_exit_are_events() {
    let events =
        events_of(r"echo out; echo 2 users launched.; printf 'bad \377 line\n' >&2; exit 7").await;
    let lines: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Line(line) => Some(line.as_str()),
            _ => None,
        })
        .collect();
    assert!(
        lines.len() == 2 && lines.contains(&"out") && lines.contains(&"bad \u{fffd} line"),
        "{lines:?}"
    );
    let Some(WorkerEvent::Exited { how: Some(how) }) = events.last() else {
        panic!("the last event is {:?}", events.last());
    };
    assert_eq!(how, "ended with exit code 7: bad \u{fffd} line");
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_and_counted() {
    let events = events_of("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done").await;
    let (mut kept, mut dropped) = (0, 0);
    for event in &events {
        match event {
            WorkerEvent::Line(_) => kept += 1,
            WorkerEvent::LinesDropped(lines) => dropped += lines,
            _ => {}
        }
    }
    assert_eq!(kept + dropped, 5_000);
    assert!(dropped > 0);
}

/// A worker with a child of its own that says its process id in its first line.
async fn with_grandchild(script: &str) -> (WorkerProcess, mpsc::Receiver<WorkerProcessEvent>, Pid) {
    let command = ["/bin/sh", "-c", script].map(OsString::from);
    let (events, mut received) = mpsc::channel(16);
    let process = WorkerProcess::start(
        &worker_command(&command),
        "run".into(),
        0,
        ToWorker::Stop,
        events,
    )
    .unwrap();
    let Some(WorkerEvent::Line(grandchild)) = received.recv().await.map(|event| event.event) else {
        panic!("the script prints a line first");
    };
    let pid = Pid::from_raw(grandchild.trim().parse().unwrap()).unwrap();
    (process, received, pid)
}

/// How a worker ended, after which its child must be gone.
async fn end_of_both(
    mut received: mpsc::Receiver<WorkerProcessEvent>,
    grandchild: Pid,
) -> Option<String> {
    let mut last = None;
    while let Some(event) = received.recv().await {
        last = Some(event.event);
    }
    let Some(WorkerEvent::Exited { how }) = last else {
        panic!("the last event is {last:?}");
    };
    // The orphan is gone, or dead and not yet collected by init.
    let alive = || {
        std::fs::read_to_string(format!("/proc/{}/stat", grandchild.as_raw_nonzero()))
            .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while alive() {
        assert!(Instant::now() < deadline, "the orphan still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    how
}

#[tokio::test]
async fn a_kill_ends_the_process_and_what_it_started() {
    let (process, received, grandchild) = with_grandchild("sleep 600 & echo $!; wait").await;
    process.kill();
    let how = end_of_both(received, grandchild).await.unwrap();
    assert_eq!(how, "was killed by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn a_worker_that_ends_by_itself_leaves_no_process_behind() {
    let (_process, received, grandchild) =
        with_grandchild("sleep 600 >/dev/null 2>&1 & echo $!; exit 0").await;
    assert_eq!(end_of_both(received, grandchild).await, None);
}

fn worker_command(words: &[OsString]) -> WorkerCommand {
    WorkerCommand {
        words: words.to_vec(),
        user: None,
        directory: None,
    }
}
