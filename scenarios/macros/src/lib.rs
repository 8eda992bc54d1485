//! The attributes that make user types and task sets of impl blocks.
//!
//! They read the block, give it back without their helper attributes, and add an implementation of
//! a trait in `greylag::macro_support` that makes the calls to the builders which one could also
//! write by hand. All they know is how the block is written; what cannot be right is reported at the
//! place where it stands, everything else is the compiler's.
//!
//! - `arguments`: `weight = 2, tags("api")`.
//! - `block`, `task`, `signature`: an impl block taken apart.
//! - `user`, `task_set`, `markov`: what is particular to each attribute.
//! - `expand`: the builder calls.

mod arguments;
mod block;
mod errors;
mod expand;
mod markov;
mod nearest;
mod signature;
mod task;
mod task_set;
mod user;

use proc_macro::TokenStream;
use quote::quote;
use task_set::Order;

/// Makes users on the full client of an impl block. Locust's `HttpUser`.
///
/// `greylag::main!(WebsiteUser)` or `Scenario::new("…").user_type::<WebsiteUser>()` takes the type
/// then. Every argument may be left out:
///
/// | Argument | Meaning |
/// |---|---|
/// | `weight = 3` | how many of these users there are in proportion to other types: a number, 0 or more; 1 if not given |
/// | `fixed_count = 1` | exactly this many, distributed before the weights count |
/// | `wait_time = between(1.0, 3.0)` | how long a user waits after each task; no wait if not given |
/// | `host = "http://…"` | the host of these users instead of the test's |
/// | `tags("api")` | tags of all its tasks |
/// | `state = Self::new()` | the state a user begins with, evaluated for each; `Default::default()` if not given |
/// | `request_timeout`, `connect_timeout` | a `Duration`; 60 s if not given |
/// | `max_redirects = 5` | how many redirects are followed before the request fails; 30 if not given |
/// | `accept_invalid_certs = true` | whether every TLS certificate is good enough; `false` if not given |
/// | `http_version = HttpVersion::Http1` | of `#[http_user]`: which versions of HTTP are spoken; what the server offers if not given |
/// | `max_body = 1_000_000` | how many bytes of a response body are kept to be read; 64 MiB if not given |
/// | `with = \|user\| …` | any other method of the builder |
///
/// In the block:
///
/// - [`#[task]`](macro@task) on `async fn name(&mut self, client: &mut Client) -> TaskResult` is a task,
///   and on `type Name = Set;` a nested task set;
/// - `async fn on_start` and `async fn on_stop`, written like tasks, run before the first and after the last one;
/// - `fn wait_time(&mut self) -> Duration` says the wait time of each user by itself;
/// - everything else is an ordinary method.
///
#[doc = include_str!("../doc/http_user.md")]
#[proc_macro_attribute]
pub fn http_user(arguments: TokenStream, item: TokenStream) -> TokenStream {
    user::expand("http_user", "HttpUser", arguments.into(), item.into()).into()
}

/// Makes users on the fast client of an impl block. Locust's `FastHttpUser`.
///
/// It takes what [`#[http_user]`](macro@http_user) takes and reads the block as that does.
///
#[doc = include_str!("../doc/fast_http_user.md")]
#[proc_macro_attribute]
pub fn fast_http_user(arguments: TokenStream, item: TokenStream) -> TokenStream {
    user::expand(
        "fast_http_user",
        "FastHttpUser",
        arguments.into(),
        item.into(),
    )
    .into()
}

/// Makes a task set of an impl block: tasks of their own that a user does until one of them
/// interrupts it. Locust's `TaskSet`.
///
/// Arguments: `user = WebsiteUser` (needed: whose task set it is), and as
/// [`#[http_user]`](macro@http_user) takes them `wait_time` (instead of the user's), `state` and `tags`.
/// Its functions see the user's state too:
/// `async fn name(&mut self, user: &mut WebsiteUser, client: &mut Client) -> TaskResult`. The set begins
/// with a new state each time a user enters it.
///
#[doc = include_str!("../doc/task_set.md")]
#[proc_macro_attribute]
pub fn task_set(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task_set::expand(Order::Random, arguments.into(), item.into()).into()
}

/// Makes a task set of an impl block whose tasks run in the order in which they are written, over
/// and over. Locust's `SequentialTaskSet`.
///
/// It takes what [`#[task_set]`](macro@task_set) takes. A task of weight 3 runs three times in a row, and a
/// nested task set has its turn where its `type` stands.
///
#[doc = include_str!("../doc/sequential_task_set.md")]
#[proc_macro_attribute]
pub fn sequential_task_set(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task_set::expand(Order::Sequential, arguments.into(), item.into()).into()
}

/// Makes a task set of an impl block in which each task says what may come next. Locust's
/// `MarkovTaskSet`.
///
/// It takes what [`#[task_set]`](macro@task_set) takes, but no tags. It begins with the task that is
/// written first; each task has [`#[transitions]`](macro@transitions), and no weight.
///
#[doc = include_str!("../doc/markov_task_set.md")]
#[proc_macro_attribute]
pub fn markov_task_set(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task_set::expand(Order::Markov, arguments.into(), item.into()).into()
}

/// Marks a task within an impl block of a user or a task set. Locust's `@task`.
///
/// On an async function, or on `type Browse = Browsing;` for a nested task set. Arguments:
/// `weight = 2` (a whole number, 1 or more: how often it is picked in proportion to the others, or in
/// a sequential task set how often it runs in a row; 1 if not given) and `tags("api", "slow")` (what
/// `--tags` and `--exclude-tags` select it by; of a task set, all tasks in it).
///
#[doc = include_str!("../doc/task.md")]
#[proc_macro_attribute]
pub fn task(_: TokenStream, item: TokenStream) -> TokenStream {
    misplaced(
        "#[task] has a meaning within an impl block with #[http_user], #[fast_http_user] or one of the task set attributes: write that before the impl block",
        item,
    )
}

/// Says which tasks of a Markov task set may follow this one, beside its `#[task]`. Locust's
/// `@transitions`.
///
/// `#[transitions(shelf = 3, leave)]`: names of tasks of the same set with their weights, whole
/// numbers of 1 or more; 1 if not given. See [`#[markov_task_set]`](macro@markov_task_set).
#[proc_macro_attribute]
pub fn transitions(_: TokenStream, item: TokenStream) -> TokenStream {
    misplaced(
        "#[transitions] has a meaning within an impl block with #[markov_task_set] only: write that before the impl block",
        item,
    )
}

/// Our attributes are taken out of the blocks they belong to; those that are left are elsewhere.
fn misplaced(message: &str, item: TokenStream) -> TokenStream {
    let error = syn::Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
    let item = proc_macro2::TokenStream::from(item);
    // A type within an inherent impl is an error of its own, which would only distract.
    let item = match syn::parse2::<syn::ImplItemType>(item.clone()) {
        Ok(_) => proc_macro2::TokenStream::new(),
        Err(_) => item,
    };
    quote!(#error #item).into()
}
