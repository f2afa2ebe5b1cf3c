//! Black-box tests of the two faces, in one binary because linking takes longer than running.
//!
//! `tests/scripts/with-backends cargo test -p chancery-tests --test black_box wallet::token` runs one topic.

mod black_box {
    mod bulk;
    mod command_line;
    mod doctor;
    mod hostile_texts;
    mod isolation;
    mod management;
    mod offer_delivery;
    mod openapi;
    mod processes;
    mod status;
    mod wallet;
    mod webhooks;
}
