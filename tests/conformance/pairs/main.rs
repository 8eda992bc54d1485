//! The product's command line with the scenarios that are compared with the real Locust: each module is the port of the
//! locustfile beside it.

mod answers;
mod catching;
mod cookie_forms;
mod cookies;
mod flows;
mod joining;
mod naming;
mod redirects;
mod sending;
mod statuses;
mod stopping;
mod tags;
mod timing;
mod transport;

use greylag::prelude::*;

fn main() -> ExitCode {
    let answers_fast = Scenario::new("answers_fast")
        .description("Every answer of the byte-for-byte server")
        .user_type::<answers::AnswersFast>();
    let answers_http = Scenario::new("answers_http")
        .description("Every answer of the byte-for-byte server")
        .user_type::<answers::AnswersHttp>();
    let behaviours = Scenario::new("behaviours")
        .description("Every behaviour once, then the user stops")
        .user_type::<catching::BrokenBlock>()
        .user_type::<catching::CatchingFast>()
        .user_type::<catching::CatchingHttp>()
        .user_type::<cookies::CookiesFast>()
        .user_type::<cookies::CookiesHttp>()
        .user_type::<flows::DeepStopFlow>()
        .user_type::<flows::EndingFlow>()
        .user_type::<flows::InterruptFlow>()
        .user_type::<flows::MarkovFlow>()
        .user_type::<flows::OwnWaitFlow>()
        .user_type::<flows::SequentialFlow>()
        .user_type::<flows::StartFails>()
        .user_type::<flows::StartStops>()
        .user_type::<flows::StopFails>()
        .user_type::<naming::NamingFast>()
        .user_type::<naming::NamingHttp>()
        .user_type::<redirects::RedirectsFast>()
        .user_type::<redirects::RedirectsHttp>()
        .user_type::<sending::SendingFast>()
        .user_type::<sending::SendingHttp>()
        .user_type::<statuses::StatusesFast>()
        .user_type::<statuses::StatusesHttp>()
        .user_type::<transport::TransportFast>()
        .user_type::<transport::TransportHttp>();
    let cookie_forms = Scenario::new("cookie_forms")
        .description("Some hundreds of forms of cookies")
        .user_type::<cookie_forms::CookieFormsFast>()
        .user_type::<cookie_forms::CookieFormsHttp>();
    let joining = Scenario::new("joining")
        .description("Paths behind a host that has a path, a user and a password of its own")
        .user_type::<joining::JoiningFast>()
        .user_type::<joining::JoiningHttp>();
    let stopping = Scenario::new("stopping")
        .description("One user stops the test, another is in the middle of something")
        .user_type::<stopping::Bystander>()
        .user_type::<stopping::Stopper>();
    let tags = Scenario::new("tags")
        .description("Tasks in a row, some of them tagged")
        .user_type::<tags::Tagged>();
    let timing = Scenario::new("timing")
        .description("When tasks begin, and how often each is picked")
        .user_type::<timing::Between>()
        .user_type::<timing::Constant>()
        .user_type::<timing::Interrupted>()
        .user_type::<timing::Mix>()
        .user_type::<timing::Overrun>()
        .user_type::<timing::Paced>()
        .user_type::<timing::PacedSet>()
        .user_type::<timing::Throughput>()
        .user_type::<timing::Walk>();
    let mut scenarios = greylag_scenarios::examples::all();
    scenarios.extend([
        answers_fast,
        answers_http,
        behaviours,
        cookie_forms,
        joining,
        stopping,
        tags,
        timing,
    ]);
    greylag::main(scenarios)
}
