//! Kind `machines`: people start the agents, and what they started is not the coordinator's to end.

use std::future::pending;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use greylag_infra::RunId;
use tokio::sync::mpsc;

use super::{Order, Provider, ProviderKind, ProviderNews, ProvisionError};

/// Waits for whoever is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machines;

impl Provider for Machines {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Machines
    }

    fn request<'a>(&'a self, _order: &'a Order) -> BoxFuture<'a, Result<(), ProvisionError>> {
        ready(Ok(())).boxed()
    }

    fn follow<'a>(
        &'a self,
        _run: &'a RunId,
        _news: mpsc::Sender<ProviderNews>,
    ) -> BoxFuture<'a, ()> {
        pending().boxed()
    }

    fn release<'a>(&'a self, _run: &'a RunId) -> BoxFuture<'a, Result<(), ProvisionError>> {
        ready(Ok(())).boxed()
    }

    fn held(&self) -> BoxFuture<'_, Result<Vec<RunId>, ProvisionError>> {
        ready(Ok(Vec::new())).boxed()
    }
}
