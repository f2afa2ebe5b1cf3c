use super::*;

#[test]
fn everything_that_is_wrong_with_a_code_looks_alike_to_the_wallet_by_sec_19() {
    for rejection in [
        Rejection::CodeUnknown,
        Rejection::CodeUsed,
        Rejection::CodeExpired,
        Rejection::CodeWithdrawn,
        Rejection::CodeLocked { attempts: 5 },
        Rejection::TransactionCodeWrong { left: 1 },
    ] {
        assert_eq!(rejection.error(), ErrorCode::InvalidGrant);
        assert_eq!(rejection.description(), Rejection::CodeUnknown.description());
    }
}

#[test]
fn the_transcript_tells_them_apart() {
    let used = Rejection::CodeUsed.account();
    let expired = Rejection::CodeExpired.account();
    assert_eq!((used.message, expired.message), ("token.code_invalid", "token.code_expired"));
    assert_ne!(used.explanation.reason, expired.explanation.reason);
    assert_eq!(
        expired.event.map(|event| (event.kind, event.error, event.code)),
        Some(("token_refused", "invalid_grant", "code_expired"))
    );
}

#[test]
fn a_transaction_code_out_of_place_is_an_invalid_request_by_tok_3() {
    for rejection in [Rejection::TransactionCodeMissing, Rejection::TransactionCodeUnexpected] {
        assert_eq!(rejection.error().name(), "invalid_request");
    }
}

#[test]
fn a_demand_for_a_nonce_leaves_a_record_and_no_event() {
    let rejection = Rejection::Dpop(dpop::Rejection::NonceMissing);
    assert_eq!(rejection.error().name(), "use_dpop_nonce");
    let account = rejection.account();
    assert!(account.event.is_none());
    assert_eq!(account.message, "token.dpop_invalid");
}
