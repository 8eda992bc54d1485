use std::sync::Arc;

use super::*;
use crate::provisioning::{Machines as ByPeople, Order, Provider, ProviderNews, ProvisionError};

/// A provider of which only the kind matters.
#[derive(Debug)]
struct OfKind(ProviderKind);

impl Provider for OfKind {
    fn kind(&self) -> ProviderKind {
        self.0
    }

    fn request<'a>(
        &'a self,
        order: &'a Order,
    ) -> futures_util::future::BoxFuture<'a, Result<(), ProvisionError>> {
        ByPeople.request(order)
    }

    fn follow<'a>(
        &'a self,
        run: &'a RunId,
        news: tokio::sync::mpsc::Sender<ProviderNews>,
    ) -> futures_util::future::BoxFuture<'a, ()> {
        ByPeople.follow(run, news)
    }

    fn release<'a>(
        &'a self,
        run: &'a RunId,
    ) -> futures_util::future::BoxFuture<'a, Result<(), ProvisionError>> {
        ByPeople.release(run)
    }

    fn held(&self) -> futures_util::future::BoxFuture<'_, Result<Vec<RunId>, ProvisionError>> {
        ByPeople.held()
    }
}

fn board(kind: ProviderKind) -> MachineBoard {
    let provisioned = ProvisionedInfrastructure {
        provider: Arc::new(OfKind(kind)),
        coordinator_url: "http://127.0.0.1:8089".to_owned(),
    };
    MachineBoard::of([(&"lab".to_owned(), &provisioned)])
}

fn news(machine: &str, state: MachineState, reason: Option<&str>) -> MachineNews {
    MachineNews {
        machine: machine.to_owned(),
        state,
        reason: reason.map(str::to_owned),
    }
}

#[test]
fn machines_that_are_not_there_yet_are_counted_and_named_with_their_reason() {
    use MachineState::{Failed, Gone, Running, Starting, Waiting};
    // The kinds whose machines have names of their own say how these are.
    let board = board(ProviderKind::Machines);
    let run = RunId::from("r");
    let note = |machine, state, reason| board.note("lab", &run, news(machine, state, reason));
    assert_eq!(board.said_of(&run), None);
    let full = "Unschedulable: 0/3 nodes are available";
    let line = note("load-0", Waiting, Some(full));
    assert_eq!(line, Some(format!("load-0 waiting: {full}")));
    assert_eq!(note("load-0", Waiting, Some(full)), None, "nothing changed");
    assert_eq!(board.said_of(&run), Some(format!("load-0 waiting: {full}")));
    let line = note("load-0", Waiting, Some("0/5 nodes"));
    assert_eq!(line.as_deref(), Some("load-0: 0/5 nodes"));
    note("load-1", Starting, None);
    note("load-2", Starting, Some("pulling the image"));
    note("load-3", Running, None);
    assert_eq!(
        board.said_of(&run).unwrap(),
        "1 machine waiting (load-0: 0/5 nodes), 2 machines starting (load-2: pulling the image)"
    );
    let names = |view: &InfrastructureMachines| {
        let machines = view.machines.iter().map(|machine| machine.name.clone());
        machines.collect::<Vec<_>>()
    };
    assert_eq!(names(&board.view()["lab"]), ["load-0", "load-1", "load-2"]);
    for machine in ["load-0", "load-1"] {
        note(machine, Running, None);
    }
    note("load-2", Failed, Some("OOMKilled, exit code 137"));
    note("load-3", Gone, None);
    assert_eq!(
        board.said_of(&run).unwrap(),
        "load-2 failed: OOMKilled, exit code 137"
    );
}

#[test]
fn each_line_of_a_command_is_a_line_of_the_log() {
    let board = board(ProviderKind::Command);
    let run = RunId::from("r");
    let note = |state, said| board.note("lab", &run, news("up", state, said));
    use MachineState::{Running, Starting};
    assert_eq!(note(Starting, None), None);
    assert_eq!(board.said_of(&run).unwrap(), "up starting");
    for _ in 0..2 {
        let line = note(Starting, Some("creating 3 instances"));
        assert_eq!(line.as_deref(), Some("up: creating 3 instances"));
    }
    let line = note(Running, Some("succeeded"));
    assert_eq!(line.as_deref(), Some("up: succeeded"));
    assert_eq!(board.said_of(&run), None);
}

#[tokio::test]
async fn machines_of_earlier_runs_are_gone_before_others_are_asked_for() {
    let board = board(ProviderKind::Command);
    let (first, second) = (RunId::from("first"), RunId::from("second"));
    board.asks("lab", &first, "#1 of checkout");
    board.asks("lab", &second, "#2 of checkout");
    board
        .others_are_gone("lab", |_| panic!("none is given back"))
        .await;
    board.gives_back("lab", &first);
    let says = |text| board.obstacle("lab", &second, Some(text));
    let mut waiting = std::pin::pin!(board.others_are_gone("lab", says));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    let obstacle = "the machines of #1 of checkout are given back first";
    assert_eq!(board.said_of(&second).unwrap(), obstacle);
    let activity = board.view()["lab"].activity.clone().unwrap();
    assert_eq!(
        activity,
        format!("{obstacle}; giving the machines of #1 of checkout back")
    );
    board.released("lab", &first);
    waiting.await;
}

#[test]
fn what_failed_last_is_shown_until_something_succeeds() {
    let board = board(ProviderKind::Command);
    let error = || board.view()["lab"].last_error.clone();
    assert_eq!(error(), None);
    board.failed("lab", "up ended with exit code 1".to_owned());
    assert_eq!(error().unwrap(), "up ended with exit code 1");
    board.succeeded("lab");
    assert_eq!(error(), None);
}
