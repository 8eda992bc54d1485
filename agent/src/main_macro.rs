//! `greylag::main!`, the main function of a user's crate.

/// Runs the command line with these user types: the whole `main` of a load test.
///
/// ```no_run,standalone_crate
/// use greylag::prelude::*;
///
/// #[derive(Default)]
/// struct WebsiteUser { basket: Vec<u64> }
///
/// #[http_user(weight = 3, wait_time = between(1.0, 3.0))]
/// impl WebsiteUser {
///     async fn on_start(&mut self, client: &mut Client) -> TaskResult {
///         client.post("/login").form(&[("user", "ada")]).send().await?;
///         Ok(())
///     }
///
///     #[task]
///     async fn homepage(&mut self, client: &mut Client) -> TaskResult {
///         client.get("/").send().await?;
///         Ok(())
///     }
///
///     #[task(weight = 2, tags("api"))]
///     async fn products(&mut self, client: &mut Client) -> TaskResult {
///         let page = client.get("/api/products").name("/api/products").catch().send().await?;
///         if page.json::<Vec<Product>>()?.is_empty() { return page.failure("empty catalogue"); }
///         page.success()
///     }
/// }
/// # #[derive(serde::Deserialize)]
/// # struct Product {}
/// # #[derive(Default)]
/// # struct AdminUser;
/// # #[fast_http_user(fixed_count = 1)]
/// # impl AdminUser {
/// #     #[task]
/// #     async fn orders(&mut self, client: &mut Client) -> TaskResult {
/// #         client.get("/admin/orders").send().await?;
/// #         Ok(())
/// #     }
/// # }
///
/// fn main() -> ExitCode {
///     greylag::main!(WebsiteUser, AdminUser)
/// }
/// ```
///
/// The types are those whose impl blocks have [`#[http_user]`](crate::prelude::http_user) or
/// [`#[fast_http_user]`](crate::prelude::fast_http_user). They make one scenario, named and described as the
/// crate is in its Cargo.toml.
///
/// For several scenarios, or one with events, options or a load shape, say which:
///
/// ```no_run,standalone_crate
/// use greylag::prelude::*;
/// # #[derive(Default)]
/// # struct Buyer;
/// # #[fast_http_user]
/// # impl Buyer {
/// #     #[task]
/// #     async fn buy(&mut self, _: &mut Client) -> TaskResult { Ok(()) }
/// # }
///
/// fn checkout() -> Scenario {
///     Scenario::new("checkout").user_type::<Buyer>()
/// }
///
/// fn main() -> ExitCode {
///     greylag::main!(scenario = checkout(), scenario = Scenario::new("browse"))
/// }
/// ```
///
/// The binary's allocator becomes mimalloc, which a load generator gains much by. A crate that
/// wants another one calls [`greylag::main`](fn@crate::main) with a list of scenarios instead.
#[macro_export]
macro_rules! main {
    ($(scenario = $scenario:expr),+ $(,)?) => {{
        #[global_allocator]
        static ALLOCATOR: $crate::macro_support::MiMalloc = $crate::macro_support::MiMalloc;
        $crate::macro_support::main_of_crate(
            ::std::env!("CARGO_MANIFEST_DIR"),
            ::std::vec![$($scenario),+],
        )
    }};
    ($($user:ty),+ $(,)?) => {
        $crate::main!(
            scenario = $crate::prelude::Scenario::new(::std::env!("CARGO_PKG_NAME"))
                .description(::std::env!("CARGO_PKG_DESCRIPTION"))
                $(.user_type::<$user>())+
        )
    };
    () => {
        ::std::compile_error!("name the user types: greylag::main!(WebsiteUser)")
    };
}
