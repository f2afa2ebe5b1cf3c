//! A signing key is replaced while credentials are out: they and their status tokens verify at every stage.

use super::*;

const KEYS: &str = "/v2/config/digital-wallet/openid/key-management";

/// Asserts that a JWT verifies with what is published now, and answers the `kid` it names.
async fn verifies(world: &World, operator: &Operator, compact: &str) -> String {
    let (header, _) = jwt::decode(compact);
    let kid = header["kid"].as_str().expect("a kid").to_owned();
    let (message, signature) = compact.rsplit_once('.').expect("a signature");
    assert_signed(world, operator, &kid, message.as_bytes(), &from_base64url(signature)).await;
    kid
}

/// The same of a credential; and that the token about its status says that it is valid.
async fn is_valid(world: &World, operator: &Operator, received: &Received) -> String {
    let place = Place::of(received);
    let answer = world.http().get(&place.uri).await;
    verifies(world, operator, &answer.text()).await;
    assert_eq!(Published::read(&answer).value(place.index), 0);
    verifies(world, operator, received.credential.split('~').next().expect("a JWT")).await
}

async fn published(world: &World, operator: &Operator) -> Vec<String> {
    let keys = world.http().get(&format!("{}/jwks", operator.issuer())).await.ok();
    keys["keys"].as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn move_to(operator: &Operator, key: &Value, state: &str) {
    let path = format!("{KEYS}/{}/state", key["id"].as_str().expect("an id"));
    operator.put(&path, json!({"state": state})).await.ok();
}

on_every_backend! {
    /// The stages of docs/guides/rotate-a-key.md, one after the other.
    async fn what_was_issued_verifies_before_during_and_after_a_rotation(world: &World) {
        let Scene { operator, definition, offer, received } = Scene::new(world).await;
        let old = operator.get(KEYS).await.ok()["keys"][0].clone();
        let old_kid = is_valid(world, &operator, &received).await;
        assert_eq!(old["kid"], old_kid);
        let token = world.http().get(&Place::of(&received).uri).await.text();

        // The next key is published and does not sign.
        let next = operator.post(KEYS, json!({"state": "next"})).await.expect(201)["key"].clone();
        let next_kid = next["kid"].as_str().expect("a kid");
        assert!(published(world, &operator).await.contains(&next_kid.to_owned()));
        assert_eq!(is_valid(world, &operator, &issue(world, &operator, &definition).await.1).await, old_kid);

        // An offer of before is redeemed after: it is signed by the new key.
        let open = operator.offer(&definition, &samples::staff_claims()).await;
        operator.post(&format!("{KEYS}/rotate"), json!({})).await.ok();
        let redeemed = world.wallet().accept(&open.link).await;
        assert_eq!(is_valid(world, &operator, &redeemed).await, next_kid);
        assert_eq!(is_valid(world, &operator, &received).await, old_kid);
        // A token that a verifier kept from before the rotation verifies with the keys of after it.
        assert_eq!(verifies(world, &operator, &token).await, old_kid);

        // Revocation reaches what the old key signed.
        change(&operator, &offer.id, json!({"revocationStatus": "Revoked"})).await.ok();
        Place::of(&received).shows(world, 1).await;
        assert_eq!(verifies(world, &operator, &world.http().get(&Place::of(&received).uri).await.text()).await, next_kid);
        world.restart().await;
        assert_eq!(verifies(world, &operator, received.credential.split('~').next().expect("a JWT")).await, old_kid);

        // Retired: what it signed has no key to verify with; the token about its status is of the new key.
        move_to(&operator, &old, "retired").await;
        assert_eq!(published(world, &operator).await, [next_kid]);
        assert_eq!(Place::of(&received).value(world).await, 1);
        assert_eq!(is_valid(world, &operator, &redeemed).await, next_kid);
    }

    /// A definition that names its key does not follow a rotation, and says so before anything is offered.
    async fn a_definition_that_names_its_key_issues_with_no_other(world: &World) {
        let operator = world.organisation().await;
        let old = operator.get(KEYS).await.ok()["keys"][0].clone();
        let mut badge = revocable_badge(&json!({"credentialConfigurationId": "badge"}));
        badge["kid"] = old["kid"].clone();
        let definition = operator.define(&badge).await;
        let (_, received) = issue(world, &operator, &definition).await;
        let new = operator.post(&format!("{KEYS}/rotate"), json!({})).await.ok()["key"].clone();
        let issue_call = chancery_tests::platform::issue_body(&definition, &samples::staff_claims());
        assert_problem(&operator.issue(issue_call).await, 409, "no-signing-key");
        assert_eq!(old["kid"], is_valid(world, &operator, &received).await);
        badge["kid"] = new["kid"].clone();
        badge["credentialDefinitions"][0]["credentialConfigurationId"] = json!("badge-2027");
        let successor = operator.define(&badge).await;
        assert_eq!(new["kid"], is_valid(world, &operator, &issue(world, &operator, &successor).await.1).await);
    }
}
