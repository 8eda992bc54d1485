//! The tables, step by step.

/// WHEN CHANGING THE TABLES: add a step at the end, never change one that was released. Step n takes a
/// database from schema n to n + 1.
///
/// Runs come from other databases, too, in bundles of earlier schemas (`bundle/`): there new columns get their defaults, and nothing that
/// a step computes from other rows. Where that is not right, raise `OLDEST_SCHEMA` in `bundle/staging.rs`.
///
/// Conventions: `run` is the run's row number; `bucket` the first second of run time of a row, `level` how
/// many seconds it holds (8^level, see `windows.rs`); times in µs; `agent` and `endpoint` and `error` are
/// numbers within the run.
pub(super) const MIGRATIONS: [&str; 32] = [
    "
    CREATE TABLE infrastructures (name TEXT PRIMARY KEY) WITHOUT ROWID;

    CREATE TABLE runs (
        run INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        test TEXT NOT NULL,
        number INTEGER NOT NULL,
        definition TEXT NOT NULL,          -- LoadTest as JSON
        phase TEXT NOT NULL,               -- RunPhase as JSON
        is_over INTEGER NOT NULL,
        created_at_us INTEGER NOT NULL,
        started_at_us INTEGER,
        ended_at_us INTEGER,
        last_second INTEGER,               -- the last one that has a row in seconds
        log_lines INTEGER NOT NULL DEFAULT 0,
        log_bytes INTEGER NOT NULL DEFAULT 0,
        log_lines_dropped INTEGER NOT NULL DEFAULT 0,
        UNIQUE (test, number)
    );
    CREATE INDEX runs_by_age ON runs (created_at_us, run);
    CREATE INDEX runs_unfinished ON runs (run) WHERE NOT is_over;

    CREATE TABLE run_agents (
        run INTEGER NOT NULL,
        agent INTEGER NOT NULL,            -- position in the order in which workers are distributed
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        workers TEXT NOT NULL,             -- JSON list of worker indexes
        last_seq INTEGER NOT NULL,
        end TEXT,                          -- AgentEnd as JSON
        PRIMARY KEY (run, agent)
    ) WITHOUT ROWID;

    CREATE TABLE workers (
        run INTEGER NOT NULL,
        worker INTEGER NOT NULL,           -- global index
        agent INTEGER NOT NULL,
        pid INTEGER NOT NULL,
        users INTEGER NOT NULL,
        running INTEGER NOT NULL,
        PRIMARY KEY (run, worker)
    ) WITHOUT ROWID;

    CREATE TABLE endpoints (
        run INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        method TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (run, endpoint)
    ) WITHOUT ROWID;

    CREATE TABLE error_texts (
        run INTEGER NOT NULL,
        error INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (run, error)
    ) WITHOUT ROWID;

    -- How far (first second not included) each level of intervals is rolled up.
    CREATE TABLE rolled (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (run, level)
    ) WITHOUT ROWID;

    CREATE TABLE intervals (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        min_us INTEGER NOT NULL,
        max_us INTEGER NOT NULL,
        sum_us INTEGER NOT NULL,
        ttfb_sum_us INTEGER NOT NULL,
        ttfb_count INTEGER NOT NULL,
        histogram BLOB NOT NULL,           -- HdrHistogram V2, large ones of level 0 inside DEFLATE
        PRIMARY KEY (run, level, bucket, endpoint, agent)
    ) WITHOUT ROWID;

    -- The following three are kept at every level with each snapshot.
    CREATE TABLE errors (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        error INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        occurrences INTEGER NOT NULL,
        PRIMARY KEY (run, level, bucket, error, agent)
    ) WITHOUT ROWID;

    CREATE TABLE seconds (                 -- all endpoints and agents together
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        started INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        PRIMARY KEY (run, level, bucket)
    ) WITHOUT ROWID;

    CREATE TABLE samples (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        packed BLOB NOT NULL,              -- MessagePack, see sample_rows.rs
        PRIMARY KEY (run, level, bucket, agent)
    ) WITHOUT ROWID;

    CREATE TABLE log (
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        source TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE runs ADD COLUMN profile TEXT;  -- LoadProfile as JSON; NULL: as the definition says
",
    // Response times from the intended start, requests timed to the first byte only, arrival rates.
    "
    ALTER TABLE intervals ADD COLUMN intended_count INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_min_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_max_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_sum_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_histogram BLOB NOT NULL DEFAULT x'';
    ALTER TABLE intervals ADD COLUMN first_byte_only INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE seconds ADD COLUMN arrivals INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE seconds ADD COLUMN late_arrivals INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE seconds ADD COLUMN skipped_arrivals INTEGER NOT NULL DEFAULT 0;
",
    // What the generator itself ran short of.
    "
    CREATE TABLE notices (
        run INTEGER NOT NULL,
        kind TEXT NOT NULL,                -- NoticeKind as JSON
        worker INTEGER NOT NULL,           -- global index, -1 for several together
        subject TEXT NOT NULL,
        first_second INTEGER NOT NULL,
        last_second INTEGER NOT NULL,
        count INTEGER NOT NULL,
        worst INTEGER NOT NULL,
        PRIMARY KEY (run, kind, worker, subject)
    ) WITHOUT ROWID;
",
    // The build that each agent of a run was.
    "
    ALTER TABLE run_agents ADD COLUMN build TEXT;  -- BuildInfo as JSON; NULL: not known
",
    // What the scenario's set-up made, while the run is active.
    "
    ALTER TABLE runs ADD COLUMN set_up_data BLOB;
",
    // Deleted runs whose rows are still there, and the numbers that are not given again. When each error was seen.
    "
    CREATE TABLE deleted_runs (run INTEGER PRIMARY KEY);
    CREATE TABLE last_numbers (
        test TEXT PRIMARY KEY,
        number INTEGER NOT NULL
    ) WITHOUT ROWID;
    ALTER TABLE error_texts ADD COLUMN first_second INTEGER;
    ALTER TABLE error_texts ADD COLUMN last_second INTEGER;
    UPDATE error_texts SET (first_second, last_second) = (
        SELECT min(bucket), max(bucket) FROM errors
        WHERE errors.run = error_texts.run AND level = 0 AND errors.error = error_texts.error
    );
",
    // What may be missing from a run's results.
    "
    ALTER TABLE runs ADD COLUMN completeness TEXT;  -- Completeness as JSON; NULL: nothing is known to be missing
    ALTER TABLE run_agents ADD COLUMN saved_until INTEGER NOT NULL DEFAULT 0;
",
    // Options that an agent has declared as secret, for ever.
    "
    CREATE TABLE secret_options (
        scenario TEXT NOT NULL,
        option TEXT NOT NULL,
        PRIMARY KEY (scenario, option)
    ) WITHOUT ROWID;
",
    // Whose users, iterations and log lines they are; of what was saved before that is not known.
    "
    CREATE TABLE agent_seconds (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        started INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        arrivals INTEGER NOT NULL,
        late_arrivals INTEGER NOT NULL,
        skipped_arrivals INTEGER NOT NULL,
        PRIMARY KEY (run, level, bucket, agent)
    ) WITHOUT ROWID;
    ALTER TABLE log ADD COLUMN agent INTEGER;  -- NULL: the coordinator's, or not known
",
    // Rows of all agents together, which have the agent -1 in intervals, errors and samples, and each agent's own part.
    "
    CREATE TABLE agent_intervals (
        id INTEGER PRIMARY KEY,            -- so that rows that are added together are neighbours
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        packed BLOB NOT NULL               -- see agent_rows/packed_row.rs; rows of the same place add up
    );
    CREATE INDEX agent_intervals_by_place ON agent_intervals (run, level, bucket, agent);
    -- Instead of the same columns of run_agents, whose rows are long and rarely change.
    CREATE TABLE agent_progress (
        run INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        saved_until INTEGER NOT NULL,
        PRIMARY KEY (run, agent)
    ) WITHOUT ROWID;
    ALTER TABLE errors ADD COLUMN agents BLOB;  -- a bit for each agent; NULL: only that of the row
    ALTER TABLE runs ADD COLUMN agent_grain INTEGER;  -- see agent_rows/mod.rs; NULL: nothing saved since schema 10
    ALTER TABLE runs ADD COLUMN has_unknown_users INTEGER NOT NULL DEFAULT 0;  -- saved before agents were kept with them
",
    // Results may be of a later time than the run has come to.
    "
    ALTER TABLE runs ADD COLUMN rolled_by INTEGER;  -- second by which rows of longer stretches were made; NULL: last_second
",
    // Tokens with a role. Only a hash of each is kept.
    "
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY,
        hash BLOB NOT NULL,                -- SHA-256 of the token
        grant TEXT NOT NULL,               -- Grant as JSON
        created_at_us INTEGER NOT NULL,
        expires_at_us INTEGER              -- NULL: never
    ) WITHOUT ROWID;
",
    // Runs whose machines have to be given back, whatever becomes of the run's other rows.
    "
    CREATE TABLE held_machines (
        run_id TEXT PRIMARY KEY,
        infrastructure TEXT NOT NULL
    ) WITHOUT ROWID;
",
    // With what the sessions of browsers are signed.
    "
    CREATE TABLE session_keys (key BLOB NOT NULL);
",
    // Whether a run may have rows of single agents in intervals, errors and agent_seconds, which schema 10 and earlier had.
    "
    ALTER TABLE runs ADD COLUMN has_agent_rows INTEGER NOT NULL DEFAULT 0;
    UPDATE runs SET has_agent_rows = 1;
",
    // How many users of each agent are active by what is saved of it: those of one that is lost are not any more.
    "
    ALTER TABLE agent_progress ADD COLUMN users INTEGER NOT NULL DEFAULT 0;
",
    // By which kind of infrastructure machines were made; NULL where an earlier version kept them.
    "
    ALTER TABLE held_machines ADD COLUMN kind TEXT;
",
    // The last second in which these changed, which may come after what is saved as a whole.
    "
    ALTER TABLE agent_progress ADD COLUMN last_change INTEGER NOT NULL DEFAULT 0;
",
    // With which token an option was first declared as secret; NULL: with none that has a role, or before this was kept.
    "
    ALTER TABLE secret_options ADD COLUMN token TEXT;
",
    // Histograms of times to the first byte and counts by status code. From here on successful and failed requests have rows of
    // their own.
    "
    ALTER TABLE intervals ADD COLUMN ttfb_min_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN ttfb_max_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN ttfb_histogram BLOB NOT NULL DEFAULT x'';
    ALTER TABLE intervals ADD COLUMN statuses BLOB NOT NULL DEFAULT x'';
    ALTER TABLE runs ADD COLUMN may_be_mixed INTEGER NOT NULL DEFAULT 0;  -- whether some rows may have both
    UPDATE runs SET may_be_mixed = 1;
",
    // What people say of a run.
    "
    ALTER TABLE runs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';  -- JSON list of texts
    ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT '';      -- Markdown
    CREATE TABLE run_marks (
        run INTEGER NOT NULL,
        mark INTEGER NOT NULL,
        second INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (run, mark)
    ) WITHOUT ROWID;
",
    // How the processes that generate the load fared.
    "
    CREATE TABLE health (
        id INTEGER PRIMARY KEY,            -- so that rows that are added together are neighbours
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        packed BLOB NOT NULL               -- see health_rows/packed.rs; rows of the same place add up
    );
    CREATE INDEX health_by_place ON health (run, level, bucket);
    CREATE TABLE saturated (               -- seconds in which a worker of an agent was saturated
        run INTEGER NOT NULL,
        bucket INTEGER NOT NULL,           -- first of 512 seconds
        agent INTEGER NOT NULL,
        seconds BLOB NOT NULL,             -- a bit for each
        PRIMARY KEY (run, bucket, agent)
    ) WITHOUT ROWID;
",
    // Of each error a few failed requests with what came back.
    "
    CREATE TABLE error_samples (
        run INTEGER NOT NULL,
        error INTEGER NOT NULL,
        sample INTEGER NOT NULL,           -- from 0, in the order in which they came
        agent INTEGER NOT NULL,
        at_us INTEGER NOT NULL,            -- of run time
        packed BLOB NOT NULL,              -- see error_sample_rows.rs
        PRIMARY KEY (run, error, sample)
    ) WITHOUT ROWID;
    ALTER TABLE error_texts ADD COLUMN samples INTEGER NOT NULL DEFAULT 0;  -- how many there are
",
    // What came of a run's thresholds.
    "
    ALTER TABLE runs ADD COLUMN threshold_results TEXT;  -- JSON list, once the run is over
    ALTER TABLE runs ADD COLUMN verdict TEXT;            -- passed or failed; NULL without thresholds
    ALTER TABLE runs ADD COLUMN baselines TEXT;          -- JSON: what the thresholds' metrics were in another run
",
    // Runs that are being imported: their rows are no run yet.
    "
    CREATE TABLE unfinished_imports (run INTEGER PRIMARY KEY);
",
    // Runs that are to be announced to a webhook when they are over.
    "
    CREATE TABLE announcements (
        run_id TEXT PRIMARY KEY,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_at_us INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
",
    // What scenarios count beside their requests.
    "
    CREATE TABLE custom_metrics (
        run INTEGER NOT NULL,
        metric INTEGER NOT NULL,           -- from 0, in the order in which they came
        name TEXT NOT NULL,
        kind TEXT NOT NULL,                -- counter, gauge, rate or histogram
        unit TEXT NOT NULL,
        PRIMARY KEY (run, metric)
    ) WITHOUT ROWID;
    CREATE TABLE custom_values (
        id INTEGER PRIMARY KEY,            -- so that rows that are added together are neighbours
        run INTEGER NOT NULL,
        metric INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        packed BLOB NOT NULL               -- see measure/custom/packed.rs
    );
    CREATE UNIQUE INDEX custom_values_by_place ON custom_values (run, metric, level, bucket);
",
    // Requests of tasks with a tag that thresholds are about.
    "
    CREATE TABLE tag_intervals (           -- the columns of intervals, all agents together and however they ended
        run INTEGER NOT NULL,
        tag TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        min_us INTEGER NOT NULL,
        max_us INTEGER NOT NULL,
        sum_us INTEGER NOT NULL,
        ttfb_sum_us INTEGER NOT NULL,
        ttfb_count INTEGER NOT NULL,
        intended_count INTEGER NOT NULL,
        intended_min_us INTEGER NOT NULL,
        intended_max_us INTEGER NOT NULL,
        intended_sum_us INTEGER NOT NULL,
        first_byte_only INTEGER NOT NULL,
        ttfb_min_us INTEGER NOT NULL,
        ttfb_max_us INTEGER NOT NULL,
        histogram BLOB NOT NULL,
        intended_histogram BLOB NOT NULL,
        ttfb_histogram BLOB NOT NULL,
        statuses BLOB NOT NULL,
        PRIMARY KEY (run, tag, bucket)
    ) WITHOUT ROWID;
",
    // What is stored of tags, so that whether more has come is known without reading their rows.
    "
    ALTER TABLE runs ADD COLUMN tag_requests INTEGER NOT NULL DEFAULT 0;    -- of tag_intervals, added up
    UPDATE runs SET tag_requests =
        (SELECT coalesce(sum(requests), 0) FROM tag_intervals WHERE tag_intervals.run = runs.run);
",
    // A run keeps its verdict until it has been judged again.
    "
    ALTER TABLE runs ADD COLUMN results_outdated INTEGER NOT NULL DEFAULT 0;    -- results came since its thresholds were judged
",
    // Each scrape of the metrics asks which runs ended lately.
    "
    CREATE INDEX runs_by_end ON runs (ended_at_us);
",
];
