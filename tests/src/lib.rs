//! Proof from outside: what the whole-system tests drive Greylag with. See `README.md` for what each test proves.
//!
//! Nothing here knows the product's inside: the binary is started as a user would, spoken to over its command line,
//! HTTP API, pages and agents' socket, and judged by a real nginx's access log and a real Chromium.

mod agent_socket;
mod api;
mod browser;
mod chaos_proxy;
mod cluster;
mod connect_proxy;
mod faked_clock;
mod fault_plan;
mod guide_table;
mod http2_server;
mod kubernetes;
mod network;
mod nginx;
mod proc_fs;
mod process;
mod python;
mod simulated_agents;
mod store_file;
pub mod summary;
mod turns;
mod uploaded_build;
pub mod wait;
mod webhook_receiver;

pub use agent_socket::{AgentSocket, Heard, hello};
pub use api::{Answer, Api, answer};
pub use browser::{Browser, Theme};
pub use chaos_proxy::ChaosProxy;
pub use cluster::{Cluster, Greylag, START_TIMEOUT, local_url, start_coordinator};
pub use connect_proxy::ConnectProxy;
pub use faked_clock::fake_clock;
pub use fault_plan::{Fault, FaultPlan, Seeded, Step};
pub use guide_table::{GuideRow, guide_table};
pub use http2_server::{Http2Server, ServerKind, Witnessed};
pub use kubernetes::{KubernetesStandIn, NAMESPACE, Permission, PodFate};
pub use network::Network;
pub use nginx::{AccessLog, Counts, LoggedRequest, Nginx, free_port};
pub use proc_fs::{
    ProcessId, busy_seconds, cpu_seconds_of_ended_children, descendants, find_program,
};
pub use process::{Ended, Process, clean_command};
pub use python::python_with;
pub use simulated_agents::{Acknowledged, Sending, SimulatedAgents, Tally, Traffic};
pub use store_file::{lock_store, stored_agent_ids, stored_counts};
pub use turns::{alone, heavy};
pub use uploaded_build::UploadedBuild;
pub use webhook_receiver::WebhookReceiver;
