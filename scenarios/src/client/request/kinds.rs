//! What sending each kind of request gives, and `.await` straight on a request.

use std::future::{Future, IntoFuture};

use futures_util::future::BoxFuture;

use super::{Caught, CaughtStreamed, Plain, Request, Rest, Streamed};
use crate::client::response::{
    CaughtResponse, CaughtStreamedResponse, Response, RestResponse, StreamedResponse,
};
use crate::task::RequestError;

/// A kind of request: plain, caught, streamed, both, or of a JSON API.
pub trait RequestKind: Sized + Send + 'static + private::Sealed {
    /// What sending such a request gives.
    type Response: Send + 'static;

    /// Sends the request: [`Request::send`] for code that works with any kind.
    fn send(
        request: Request<'_, Self>,
    ) -> impl Future<Output = Result<Self::Response, RequestError>> + Send;
}

mod private {
    pub trait Sealed {}
}

macro_rules! kinds {
    ($($kind:ty => $response:ty;)*) => {$(
        impl private::Sealed for $kind {}

        impl RequestKind for $kind {
            type Response = $response;

            fn send(
                request: Request<'_, Self>,
            ) -> impl Future<Output = Result<$response, RequestError>> + Send {
                request.send()
            }
        }
    )*};
}

kinds! {
    Plain => Response;
    Caught => CaughtResponse;
    Streamed => StreamedResponse;
    CaughtStreamed => CaughtStreamedResponse;
    Rest => RestResponse;
}

/// `client.get("/").await?` sends the request, like `client.get("/").send().await?`, for one allocation more.
impl<'c, Kind: RequestKind> IntoFuture for Request<'c, Kind> {
    type Output = Result<Kind::Response, RequestError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Kind::send(self))
    }
}
