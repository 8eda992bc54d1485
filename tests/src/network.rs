//! Machines with addresses of their own: network namespaces that are joined by a bridge, which is in one of its own, so that the
//! network of the machine that runs the tests stays as it is.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::clean_command;

/// Where `ip netns` keeps the names of network namespaces.
const NAMES: &str = "/run/netns";
/// How the names of ours begin, before the number of the process that made them.
const PREFIX: &str = "greylag-tests-";
/// The machine with the bridge, which is one like the others otherwise.
const BRIDGE: &str = "bridge";

/// Several machines. They are gone when it is dropped; what a process left behind that was killed is deleted with the next.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    /// The first has the bridge.
    machines: Vec<String>,
}

impl Network {
    /// Machines of these names. None, with a printed reason, where that is not possible: without Linux, `ip` or root.
    pub fn of(machines: &[&str]) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let mut network = Self {
            prefix: format!("{PREFIX}{}-{number}-", std::process::id()),
            machines: Vec::new(),
        };
        delete_left_behind();
        let made = network.make(machines);
        match made {
            Ok(()) => Some(network),
            Err(reason) => {
                eprintln!("skipped: machines with networks of their own cannot be made: {reason}");
                None
            }
        }
    }

    fn make(&mut self, machines: &[&str]) -> Result<(), String> {
        for machine in [&[BRIDGE], machines].concat() {
            ip(&["netns", "add", &self.name(machine)])?;
            self.machines.push(machine.to_owned());
            self.ip_on(machine, &["link", "set", "lo", "up"])?;
            let address = format!("{}/24", self.address(machine));
            if machine == BRIDGE {
                self.ip_on(BRIDGE, &["link", "add", "eth0", "type", "bridge"])?;
            } else {
                let port = format!("port{}", self.machines.len());
                let peer = self.name(BRIDGE);
                let link = ["link", "add", "eth0", "type", "veth", "peer", "name"];
                self.ip_on(machine, &[&link[..], &[&port, "netns", &peer]].concat())?;
                self.ip_on(BRIDGE, &["link", "set", &port, "master", "eth0", "up"])?;
            }
            self.ip_on(machine, &["address", "add", &address, "dev", "eth0"])?;
            self.ip_on(machine, &["link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    fn name(&self, machine: &str) -> String {
        format!("{}{machine}", self.prefix)
    }

    fn path(&self, machine: &str) -> PathBuf {
        Path::new(NAMES).join(self.name(machine))
    }

    fn ip_on(&self, machine: &str, arguments: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.name(machine)], arguments].concat())
    }

    /// The address of a machine.
    ///
    /// # Panics
    /// There is no such machine.
    pub fn address(&self, machine: &str) -> String {
        let mut machines = self.machines.iter();
        let number = machines.position(|known| known == machine);
        let number = number.unwrap_or_else(|| panic!("there is no machine {machine}"));
        format!("10.77.0.{}", number + 1)
    }

    /// A command on a machine, free of the caller's settings of Greylag.
    pub fn command(&self, machine: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = clean_command("nsenter");
        let mut network = std::ffi::OsString::from("--net=");
        network.push(self.path(machine));
        command.arg(network).arg("--").arg(program);
        command
    }

    /// Waits for something on a machine: connections that are made by it come from there.
    ///
    /// # Panics
    /// As what is waited for does.
    pub fn on<T: Send>(&self, machine: &str, what: impl Future<Output = T> + Send) -> T {
        let namespace = File::open(self.path(machine)).expect("the machine is there");
        let enter_and_wait = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("who made it may enter it");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(what)
        };
        thread::scope(|scope| {
            let waiting = scope.spawn(enter_and_wait);
            let waited = waiting.join();
            waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in &self.machines {
            // A process that is still there keeps its network, without the name, to its end.
            if let Err(error) = ip(&["netns", "delete", &self.name(machine)]) {
                eprintln!("{error}");
            }
        }
    }
}

/// Deletes the machines of processes that are no more.
fn delete_left_behind() {
    let names = fs::read_dir(NAMES).into_iter().flatten().flatten();
    for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        let Some(process) = process else { continue };
        if !Path::new("/proc").join(process).exists() {
            // Another test may be faster.
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(|error| format!("`ip` cannot be started: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "`ip {}`: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
