//! Golden frames: what goes over the wire, byte by byte. A change here is a change of the protocol; see
//! "WHEN CHANGING THE PROTOCOL" at the top of `protocol/messages.rs`.

use greylag_infra::protocol::{
    FrameError, HeldRun, Hello, MAX_MESSAGE_BYTES, MAX_SNAPSHOT_INTERVALS, OptionInfo, OptionKind,
    PROTOCOL_VERSION, ScenarioInfo, Snapshot, ToAgent, ToCoordinator, UserTypeInfo, cut, decode,
    encode,
};
use greylag_infra::{
    AgentSecret, BuildInfo, GeneratorNotice, LoadProfile, MachineHealth, NoticeKind, ProcessHealth,
    ProfileStep, RateStep, RunTime, TimerLateness, WallTime,
};

#[test]
fn frames_are_maps_with_named_fields() {
    let ack = ToAgent::Ack {
        run_id: "r1".into(),
        seq: 7,
        saving_us: 42,
    };
    let frame = b"\x81\xa3Ack\x83\xa6run_id\xa2r1\xa3seq\x07\xa9saving_us\x2a";
    assert_eq!(encode(&ack), frame);
    assert_eq!(decode::<ToAgent>(frame).expect("a frame"), ack);
    let short = b"\x81\xa3Ack\x82\xa6run_id\xa2r1\xa3seq\x07";
    let without = ToAgent::Ack {
        run_id: "r1".into(),
        seq: 7,
        saving_us: 0,
    };
    assert_eq!(decode::<ToAgent>(short).expect("a frame"), without);
}

/// What version 3 added: an agent says in its pings how its runs stand.
#[test]
fn pings_say_how_runs_stand() {
    let ping = |runs| ToCoordinator::Ping {
        sent_at: WallTime::from_micros(300),
        runs,
    };
    let short = b"\x81\xa4Ping\x81\xaasent_at_us\xcd\x01\x2c";
    assert_eq!(
        decode::<ToCoordinator>(short).expect("a ping"),
        ping(vec![])
    );
    let held = ping(vec![HeldRun {
        run_id: "r1".into(),
        run_time: Some(RunTime::from_micros(5)),
        unacknowledged_us: 7,
        fetched_bytes: None,
        finish_asked: None,
    }]);
    let frame = b"\x81\xa4Ping\x82\xaasent_at_us\xcd\x01\x2c\xa4runs\x91\x83\xa6run_id\xa2r1\
        \xabrun_time_us\x05\xb1unacknowledged_us\x07";
    assert_eq!(encode(&held), frame);
    assert_eq!(decode::<ToCoordinator>(frame).expect("a ping"), held);
}

/// What version 2 added: a start and a change carry the whole load profile, an agent says its scenario's.
#[test]
fn load_profiles_travel_whole() {
    let profile = LoadProfile {
        steps: vec![ProfileStep {
            at: RunTime::from_micros(5),
            users: 7,
            over_us: 9,
        }],
        rates: vec![RateStep {
            at: RunTime::ZERO,
            per_second: 0.5,
            over_us: 0,
        }],
        ends_at: RunTime::from_micros(60),
        ..LoadProfile::default()
    };
    let encoded = b"\x83\xa5steps\x91\x83\xa5at_us\x05\xa5users\x07\xa7over_us\x09\
        \xa5rates\x91\x83\xa5at_us\x00\xaaper_second\xcb\x3f\xe0\0\0\0\0\0\0\xa7over_us\x00\xaaends_at_us\x3c";
    let frame = |head: &[u8], tail: &[u8]| [head, encoded, tail].concat();
    let start = ToAgent::Start {
        run_id: "r1".into(),
        start_at: WallTime::from_micros(1),
        profile: profile.clone().into(),
        set_up_data: Some(vec![7, 8].into()),
    };
    let bytes = frame(
        b"\x81\xa5Start\x84\xa6run_id\xa2r1\xabstart_at_us\x01\xa7profile",
        b"\xabset_up_data\xc4\x02\x07\x08",
    );
    assert_eq!(encode(&start), bytes);
    assert_eq!(decode::<ToAgent>(&bytes).expect("a start"), start);
    let change = ToAgent::Profile {
        run_id: "r1".into(),
        profile: profile.clone().into(),
    };
    let bytes = frame(b"\x81\xa7Profile\x82\xa6run_id\xa2r1\xa7profile", b"");
    assert_eq!(encode(&change), bytes);
    assert_eq!(decode::<ToAgent>(&bytes).expect("a profile"), change);
    let ready = ToCoordinator::Ready {
        run_id: "r1".into(),
        shape: Some(profile),
        set_up_data: None,
    };
    let bytes = frame(
        b"\x81\xa5Ready\x83\xa6run_id\xa2r1\xa5shape",
        b"\xabset_up_data\xc0",
    );
    assert_eq!(encode(&ready), bytes);
    assert_eq!(decode::<ToCoordinator>(&bytes).expect("a ready"), ready);
    let without = decode(b"\x81\xa5Ready\x81\xa6run_id\xa2r1").expect("a ready");
    assert!(matches!(
        without,
        ToCoordinator::Ready {
            shape: None,
            set_up_data: None,
            ..
        }
    ));
}

/// What version 3 added: an agent proves who it is.
#[test]
fn a_hello_brings_the_agents_secret() {
    let frame = b"\x81\xa5Hello\x82\xa8protocol\x03\xa6secret\xb00123456789abcdef";
    let ToCoordinator::Hello(hello) = decode(frame).expect("a hello") else {
        panic!("a hello should be read as one");
    };
    assert_eq!(hello.secret, AgentSecret::new("0123456789abcdef"));
    assert!(
        encode(&hello)
            .windows(24)
            .any(|part| part == b"\xa6secret\xb00123456789abcdef")
    );
}

#[test]
fn a_hello_says_what_the_scenarios_offer() {
    let scenario = ScenarioInfo {
        name: "s".into(),
        description: String::new(),
        user_types: vec![UserTypeInfo {
            name: "U".into(),
            weight: 1.0,
            fixed_count: 2,
            host: None,
        }],
        tags: vec!["t".into()],
        options: vec![OptionInfo {
            name: "o".into(),
            kind: OptionKind::Flag,
            ..OptionInfo::default()
        }],
        has_shape: true,
    };
    let frame = b"\x86\xa4name\xa1s\xabdescription\xa0\xaauser_types\x91\x84\xa4name\xa1U\xa6weight\xcb\x3f\xf0\0\0\0\0\0\0\
        \xabfixed_count\x02\xa4host\xc0\xa4tags\x91\xa1t\xa7options\x91\x86\xa4name\xa1o\xa4kind\xa4Flag\
        \xa7default\xa0\xa4help\xa0\xa6secret\xc2\xa7choices\x90\xa9has_shape\xc3";
    assert_eq!(encode(&scenario), frame);
    assert_eq!(decode::<ScenarioInfo>(frame).expect("a scenario"), scenario);
    let short = decode::<ScenarioInfo>(b"\x81\xa4name\xa1s").expect("a scenario");
    assert!(short.user_types.is_empty() && !short.has_shape);
}

/// What the generator ran short of, in a snapshot.
#[test]
fn notices_travel_with_named_kinds() {
    let notice = GeneratorNotice {
        kind: NoticeKind::NameResolution,
        worker: Some(1),
        subject: "h".into(),
        first_second: 2,
        last_second: 3,
        count: 4,
        worst: 5,
    };
    let frame =
        b"\x87\xa4kind\xafname_resolution\xa6worker\x01\xa7subject\xa1h\xacfirst_second\x02\
        \xablast_second\x03\xa5count\x04\xa5worst\x05";
    assert_eq!(encode(&notice), frame);
    assert_eq!(decode::<GeneratorNotice>(frame).expect("a notice"), notice);
}

/// Which build an agent runs, beside its version.
#[test]
fn a_build_travels_with_named_fields() {
    let build = BuildInfo {
        sha256: "ab".into(),
        version: "1".into(),
        platform: "p".into(),
    };
    let frame = b"\x83\xa6sha256\xa2ab\xa7version\xa11\xa8platform\xa1p";
    assert_eq!(encode(&build), frame);
    assert_eq!(decode::<BuildInfo>(frame).expect("a build"), build);
}

#[test]
fn unknown_fields_are_ignored_and_missing_ones_default() {
    let hello = decode(b"\x81\xa5Hello\x82\xa8protocol\x03\xa6future\xc3").expect("a hello");
    let expected = Hello {
        protocol: PROTOCOL_VERSION,
        secret: AgentSecret::default(),
        name: String::new(),
        infrastructure: String::new(),
        version: String::new(),
        build: BuildInfo::default(),
        worker_protocol: None,
        takes_data: false,
        cores: 0,
        once: false,
        scenarios: Vec::new(),
        runs: Vec::new(),
    };
    assert_eq!(ToCoordinator::Hello(expected), hello);
    let snapshot = decode(b"\x81\xa8Snapshot\x82\xa6run_id\xa2r1\xa3seq\x01").expect("a snapshot");
    let expected = Snapshot {
        run_id: "r1".into(),
        seq: 1,
        ..Snapshot::default()
    };
    assert_eq!(ToCoordinator::Snapshot(Box::new(expected)), snapshot);
    let frame = b"\x81\xa8Snapshot\x82\xa3seq\x01\xaecomplete_until\x05";
    let expected = Snapshot {
        seq: 1,
        complete_until: 5,
        ..Snapshot::default()
    };
    assert_eq!(
        decode(frame).ok(),
        Some(ToCoordinator::Snapshot(Box::new(expected)))
    );
}

#[test]
fn what_is_no_frame_is_refused() {
    let too_large = vec![0; MAX_MESSAGE_BYTES + 1];
    assert!(matches!(
        decode::<ToCoordinator>(&too_large),
        Err(FrameError::TooLarge(_))
    ));
    for frame in [
        &b""[..],
        b"\xc1",
        b"\x81\xa5Sleep\x80",
        b"\x81\xa5Hello\x80",
    ] {
        let decoded = decode::<ToCoordinator>(frame);
        assert!(
            matches!(decoded, Err(FrameError::Malformed(_))),
            "{frame:?}"
        );
    }
}

/// Elements of one byte each would take hundreds of times as much memory.
#[test]
fn lists_are_bounded_before_they_are_read_whole() {
    let intervals = |count: usize| {
        let count = u32::try_from(count).expect("a small number");
        let mut frame = b"\x81\xa8Snapshot\x81\xa9intervals\xdd".to_vec();
        frame.extend(count.to_be_bytes());
        frame.extend(vec![0x80; count as usize]);
        decode::<ToCoordinator>(&frame)
    };
    assert!(intervals(MAX_SNAPSHOT_INTERVALS).is_ok());
    let refused = intervals(MAX_SNAPSHOT_INTERVALS + 1)
        .expect_err("too many")
        .to_string();
    assert!(refused.contains("more than 20000 elements"), "{refused}");
}

#[test]
fn texts_are_cut_at_characters() {
    assert_eq!(cut("Grüße", 7), "Grüße");
    assert_eq!(cut("Grüße!", 7), "Grü…");
    assert_eq!(cut("日本", 3), "…");
}

/// How a worker fared, in a snapshot.
#[test]
fn health_travels_with_named_fields() {
    let health = ProcessHealth {
        second: 7,
        worker: Some(1),
        users: 2,
        requests: 3,
        core_pm: Some(4),
        wait_pm: None,
        process_pm: Some(5),
        memory_bytes: Some(6),
        open_files: Some(8),
        late: Some(TimerLateness {
            p50_us: 1,
            p99_us: 2,
            max_us: 3,
        }),
        machine: None,
    };
    let frame = b"\x8b\xa6second\x07\xa6worker\x01\xa5users\x02\xa8requests\x03\xa7core_pm\x04\xa7wait_pm\xc0\
        \xaaprocess_pm\x05\xacmemory_bytes\x06\xaaopen_files\x08\xa4late\x83\xa6p50_us\x01\xa6p99_us\x02\xa6max_us\x03\
        \xa7machine\xc0";
    assert_eq!(encode(&health), frame);
    assert_eq!(decode::<ProcessHealth>(frame).expect("health"), health);
    let machine = MachineHealth {
        cpu_pm: Some(1),
        memory_used_bytes: Some(2),
        memory_bytes: Some(3),
        file_limit: Some(4),
    };
    let frame =
        b"\x84\xa6cpu_pm\x01\xb1memory_used_bytes\x02\xacmemory_bytes\x03\xaafile_limit\x04";
    assert_eq!(encode(&machine), frame);
    // Of an agent that does not measure: not measured, which is not 0.
    let none = decode::<ProcessHealth>(b"\x81\xa6second\x07").expect("health");
    assert_eq!((none.core_pm, none.late), (None, None));
}
