//! Golden frames: what goes over the wire, byte by byte. A change here is a change of the protocol; see
//! "WHEN CHANGING THE PROTOCOL" at the top of `protocol.rs`.

use greylag_infra::protocol::{
    FrameError, Hello, MAX_FRAME_BYTES, PROTOCOL_VERSION, Snapshot, ToAgent, ToCoordinator, cut,
    decode, encode,
};

#[test]
fn frames_are_maps_with_named_fields() {
    let ack = ToAgent::Ack {
        run_id: "r1".into(),
        seq: 7,
    };
    let frame = b"\x81\xa3Ack\x82\xa6run_id\xa2r1\xa3seq\x07";
    assert_eq!(encode(&ack), frame);
    assert_eq!(decode::<ToAgent>(frame).expect("a frame"), ack);
    let ping = ToCoordinator::Ping { sent_at_us: 300 };
    assert_eq!(encode(&ping), b"\x81\xa4Ping\x81\xaasent_at_us\xcd\x01\x2c");
}

#[test]
fn unknown_fields_are_ignored_and_missing_ones_default() {
    let hello = decode(b"\x81\xa5Hello\x82\xa8protocol\x02\xa6future\xc3").expect("a hello");
    let expected = Hello {
        protocol: PROTOCOL_VERSION,
        agent_id: String::new(),
        name: String::new(),
        infrastructure: String::new(),
        version: String::new(),
        cores: 0,
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
}

#[test]
fn what_is_no_frame_is_refused() {
    let too_large = vec![0; MAX_FRAME_BYTES + 1];
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

#[test]
fn texts_are_cut_at_characters() {
    assert_eq!(cut("Grüße", 7), "Grüße");
    assert_eq!(cut("Grüße!", 7), "Grü…");
    assert_eq!(cut("日本", 3), "…");
}
