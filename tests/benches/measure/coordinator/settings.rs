//! What is measured, from the command line.

const AGENTS: [usize; 3] = [100, 500, 1_000];
const SECONDS: u32 = 60;

pub(super) struct Settings {
    pub(super) agents: Vec<usize>,
    pub(super) seconds: u32,
    pub(super) together: bool,
    pub(super) memory: bool,
}

impl Settings {
    pub(super) fn of(arguments: &[&str]) -> Self {
        let mut settings = Self {
            agents: Vec::new(),
            seconds: SECONDS,
            together: false,
            memory: false,
        };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--together" => settings.together = true,
                "--memory" => settings.memory = true,
                "--seconds" => {
                    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                    settings.seconds = seconds.expect("--seconds takes a whole number");
                }
                agents => settings.agents.push(agents.parse().unwrap_or_else(|_| {
                    panic!(
                        "{agents} is not a number of agents, --seconds N, --together or --memory"
                    )
                })),
            }
        }
        if settings.agents.is_empty() {
            settings.agents = AGENTS.to_vec();
        }
        settings
    }
}
