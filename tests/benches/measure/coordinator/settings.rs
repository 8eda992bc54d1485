//! What is measured, from the command line.

const AGENTS: [usize; 3] = [100, 500, 1_000];
const IDLE_AGENTS: [usize; 2] = [1_000, 10_000];
const SECONDS: u32 = 60;
const IDLE_SECONDS: u32 = 10;

pub(super) struct Settings {
    pub(super) agents: Vec<usize>,
    pub(super) seconds: u32,
    pub(super) together: bool,
    pub(super) memory: bool,
    /// The agents are only connected.
    pub(super) idle: bool,
    /// Further agents that fetch a build in the middle of the run.
    pub(super) fetching: usize,
}

impl Settings {
    pub(super) fn of(arguments: &[&str]) -> Self {
        let mut settings = Self {
            agents: Vec::new(),
            seconds: SECONDS,
            together: false,
            memory: false,
            idle: false,
            fetching: 0,
        };
        let mut seconds_given = false;
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--together" => settings.together = true,
                "--memory" => settings.memory = true,
                "--idle" => settings.idle = true,
                "--fetching" => {
                    let agents = arguments.next().and_then(|agents| agents.parse().ok());
                    settings.fetching = agents.expect("--fetching takes a number of agents");
                }
                "--seconds" => {
                    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                    settings.seconds = seconds.expect("--seconds takes a whole number");
                    seconds_given = true;
                }
                agents => settings.agents.push(agents.parse().unwrap_or_else(|_| {
                    panic!(
                        "{agents} is not a number of agents, --seconds N, --fetching N, --together, --memory or --idle"
                    )
                })),
            }
        }
        if settings.idle && !seconds_given {
            settings.seconds = IDLE_SECONDS;
        }
        if settings.agents.is_empty() {
            settings.agents = match settings.idle {
                true => IDLE_AGENTS.to_vec(),
                false => AGENTS.to_vec(),
            };
        }
        settings
    }
}
