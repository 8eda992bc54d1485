//! Frames of the agents' socket: any bytes are a message or an error, and a message is read again from what it is
//! written as.
#![no_main]

use greylag_infra::protocol::{ToAgent, ToCoordinator, decode, encode};
use greylag_reporting::check_wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = decode::<ToCoordinator>(bytes) {
        let again: ToCoordinator = decode(&encode(&message)).expect("we wrote it");
        // Floats of a foreign message may be NaN, which is not equal to itself.
        assert_eq!(encode(&again), encode(&message));
        if let ToCoordinator::Snapshot(snapshot) = &message {
            for interval in &snapshot.intervals {
                let _ = check_wire(interval);
            }
        }
    }
    if let Ok(message) = decode::<ToAgent>(bytes) {
        let again: ToAgent = decode(&encode(&message)).expect("we wrote it");
        assert_eq!(encode(&again), encode(&message));
    }
});
