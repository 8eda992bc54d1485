//! Requests at the same time, as a browser loads what a page consists of.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Request;
use super::kinds::RequestKind;
use crate::client::Client;
use crate::task::RequestError;

/// Requests that [`Client::all`] has under way at the same time: as many as browsers have connections to one
/// origin.
pub const REQUESTS_AT_ONCE: usize = 6;

impl Client {
    /// Sends a request for each item, up to [`REQUESTS_AT_ONCE`] of them at the same time, and waits for all:
    /// the results, each as its own `send()` would have given it, in the order of the items.
    ///
    /// Each request is made by `request` with a [`fork`](Self::fork) of this client; cookies that servers set and
    /// connections come back to this one.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn page(client: &mut Client, ids: Vec<u64>) -> TaskResult {
    /// for asset in client.all(["/style.css", "/shop.js"], |client, path| client.get(path)).await {
    ///     asset?;
    /// }
    /// let products = client
    ///     .all(ids, |client, id| client.get(format!("/products/{id}")).name("/products/[id]").catch())
    ///     .await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn all<Item, Kind: RequestKind>(
        &mut self,
        items: impl IntoIterator<Item = Item>,
        request: impl for<'c> Fn(&'c mut Client, &'c Item) -> Request<'c, Kind>,
    ) -> Vec<Result<Kind::Response, RequestError>> {
        self.all_at_most(REQUESTS_AT_ONCE, items, request).await
    }

    /// [`all`](Self::all) with up to `at_once` requests at the same time; 0 is taken for 1.
    pub async fn all_at_most<Item, Kind: RequestKind>(
        &mut self,
        at_once: usize,
        items: impl IntoIterator<Item = Item>,
        request: impl for<'c> Fn(&'c mut Client, &'c Item) -> Request<'c, Kind>,
    ) -> Vec<Result<Kind::Response, RequestError>> {
        let items: Vec<Item> = items.into_iter().collect();
        let send = async |mut fork: Client, index: usize| {
            let result = Kind::send(request(&mut fork, &items[index])).await;
            (fork, index, result)
        };
        let mut results: Vec<_> = items.iter().map(|_| None).collect();
        let mut under_way = FuturesUnordered::new();
        let mut next = 0;
        while next < items.len().min(at_once.max(1)) {
            under_way.push(send(self.fork(), next));
            next += 1;
        }
        while let Some((fork, index, result)) = under_way.next().await {
            results[index] = Some(result);
            if next < items.len() {
                under_way.push(send(fork, next));
                next += 1;
            } else {
                self.join(fork);
            }
        }
        // Every item was sent and has ended: the loop ends with the last of them.
        results.into_iter().flatten().collect()
    }
}
