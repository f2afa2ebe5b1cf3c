//! Whether the issuer's clock agrees with ours.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::discovery::Documents;
use super::finding::Kind;
use super::patient::Patient;

/// Seconds of difference that a wallet accepts: network and whole seconds are in it.
const TOLERANCE_SECONDS: i64 = 30;

pub(super) fn examine(patient: &mut Patient<'_>, documents: &Documents) {
    patient.look_at("the clocks agree");
    let Some(date) = documents.issuer_reply.header("date") else {
        patient.find(Kind::CLOCK_UNKNOWN, "the answer has no Date header");
        return;
    };
    // RFC 9110 §5.6.7 writes the zone as GMT.
    let Ok(date) = OffsetDateTime::parse(&date.replace("GMT", "+0000"), &Rfc2822) else {
        patient.find(Kind::CLOCK_UNKNOWN, format!("the Date header {date:?} is not a date"));
        return;
    };
    let ahead = date.unix_timestamp() - patient.now();
    if ahead.abs() > TOLERANCE_SECONDS {
        let direction = if ahead > 0 { "ahead of" } else { "behind" };
        patient.find(Kind::CLOCK_OFF, format!("the issuer's clock is {} s {direction} ours", ahead.abs()));
    }
}
