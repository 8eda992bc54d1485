//! Names that Locust's requests and responses have and these have not.
//!
//! Python's `page.status_code` or `params=` is the first thing that a porter writes, and "no method named
//! `params`" would not help. Each of these can be written and not compiled: it needs a trait that nothing
//! implements, and the message of that trait says what to write instead. A field that is not there
//! (`page.ok`) is answered by the compiler with "use parentheses to call the method", and then by the same message.

use super::Client;
use super::request::Request;
use super::response::{Response, StreamedResponse};

macro_rules! written_otherwise {
    ($($name:ident: $message:literal, $label:literal;)*) => {$(
        #[diagnostic::on_unimplemented(message = $message, label = $label)]
        pub trait $name {}
    )*};
}

written_otherwise! {
    StatusCode: "the status of a response is `status()`", "write `.status()`";
    Ok: "whether a response is a success is `is_ok()`", "write `.is_ok()`";
    Content: "the body of a response is `bytes()`, as text `text()`", "write `.bytes()`";
    RaiseForStatus: "`raise_for_status()` is `error_for_status()?`", "write `.error_for_status()?`";
    IterLines: "a response is read while it comes when its request says `stream()`", "write `let mut lines = client.get(…).stream().send().await?;`, then `while let Some(line) = lines.line().await? {{ … }}`";
    StreamedBody: "the body of a streamed response is still to be read: `bytes()`, `text()` or `json()`, each with `.await?`", "write `.bytes().await?`";
    StreamedLines: "the lines of a streamed response are read one by one", "write `while let Some(line) = lines.line().await? {{ … }}`";
    Uncaught: "only a response that was caught can be judged", "write `.catch()` before `.send().await?`: `let page = client.get(…).catch().send().await?;`";
    Params: "the parameters of a URL are `query(…)`", "write `.query(&[(\"page\", \"2\")])`";
    Data: "a form is sent by `form(…)`, any other body by `body(…)`", "write `.form(&[(\"user\", \"ada\")])` or `.body(…)`";
    Files: "files are sent by `multipart(…)`", "write `.multipart(Multipart::new().file(…))`";
    Auth: "user and password are sent by `basic_auth(…)`, a token by `bearer_auth(…)`", "write `.basic_auth(\"user\", \"password\")`";
    CatchResponse: "`catch_response=True` is `catch()`", "write `.catch()`";
    Verify: "certificates are accepted or refused for a user type as a whole", "write `accept_invalid_certs = true` in `#[http_user(…)]`";
    Unsent: "a request has no response before it is sent", "write `.send().await?` first";
    Headers: "the headers that a user sends with every request are `headers_mut()`", "write `client.headers_mut().insert(…)`";
}

// The lifetimes and type parameters are there because the compiler would refuse a bound without any immediately.

impl Response {
    #[doc(hidden)]
    pub fn status_code<'a>(&'a self) -> u16
    where
        &'a Self: StatusCode,
    {
        self.status().as_u16()
    }

    #[doc(hidden)]
    pub fn ok<'a>(&'a self) -> bool
    where
        &'a Self: Ok,
    {
        self.is_ok()
    }

    #[doc(hidden)]
    pub fn content<'a>(&'a self) -> &'a [u8]
    where
        &'a Self: Content,
    {
        self.bytes()
    }

    #[doc(hidden)]
    pub fn raise_for_status<'a>(&'a self)
    where
        &'a Self: RaiseForStatus,
    {
    }

    #[doc(hidden)]
    pub fn iter_lines<'a>(&'a self) -> std::str::Lines<'a>
    where
        &'a Self: IterLines,
    {
        self.text().lines()
    }

    #[doc(hidden)]
    pub fn success<'a>(&'a self) -> crate::task::TaskResult
    where
        &'a Self: Uncaught,
    {
        Result::Ok(())
    }

    #[doc(hidden)]
    pub fn failure<'a, T>(&'a self, _: T) -> crate::task::TaskResult
    where
        &'a Self: Uncaught,
    {
        Result::Ok(())
    }
}

impl StreamedResponse {
    #[doc(hidden)]
    pub fn status_code<'a>(&'a self) -> u16
    where
        &'a Self: StatusCode,
    {
        self.status().as_u16()
    }

    #[doc(hidden)]
    pub fn raise_for_status<'a>(&'a self)
    where
        &'a Self: RaiseForStatus,
    {
    }

    #[doc(hidden)]
    pub fn body<'a>(&'a self) -> &'a [u8]
    where
        &'a Self: StreamedBody,
    {
        &[]
    }

    #[doc(hidden)]
    pub fn content<'a>(&'a self) -> &'a [u8]
    where
        &'a Self: StreamedBody,
    {
        &[]
    }

    #[doc(hidden)]
    pub fn iter_lines<'a>(&'a self) -> std::str::Lines<'a>
    where
        &'a Self: StreamedLines,
    {
        "".lines()
    }
}

impl<Kind> Request<'_, Kind> {
    #[doc(hidden)]
    pub fn params<T>(self, _: T) -> Self
    where
        Self: Params,
    {
        self
    }

    #[doc(hidden)]
    pub fn data<T>(self, _: T) -> Self
    where
        Self: Data,
    {
        self
    }

    #[doc(hidden)]
    pub fn files<T>(self, _: T) -> Self
    where
        Self: Files,
    {
        self
    }

    #[doc(hidden)]
    pub fn auth<T>(self, _: T) -> Self
    where
        Self: Auth,
    {
        self
    }

    #[doc(hidden)]
    pub fn catch_response<T>(self, _: T) -> Self
    where
        Self: CatchResponse,
    {
        self
    }

    #[doc(hidden)]
    pub fn verify<T>(self, _: T) -> Self
    where
        Self: Verify,
    {
        self
    }

    #[doc(hidden)]
    pub fn status(&self) -> super::Status
    where
        Self: Unsent,
    {
        http::StatusCode::OK.into()
    }

    #[doc(hidden)]
    pub fn text(&self) -> &str
    where
        Self: Unsent,
    {
        &self.path
    }
}

impl Client {
    #[doc(hidden)]
    pub fn headers<'a>(&'a mut self) -> &'a mut crate::client::Headers
    where
        &'a mut Self: Headers,
    {
        self.headers_mut()
    }
}
