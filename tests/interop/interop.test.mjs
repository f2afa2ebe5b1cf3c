import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOrganisation } from './issuer.mjs'
import { verify } from './verifier.mjs'
import { accept, newKey, newWallet } from './wallet.mjs'

const person = { given_name: 'Ada', address: { locality: 'London' }, nationalities: ['GB', 'FR'] }
const slug = (name) => `${name}-${Date.now().toString(36)}`

test('an outside wallet accepts an offer with DPoP and an outside verifier reads every claim', async () => {
  const organisation = await createOrganisation(slug('dpop'))
  const exchange = await organisation.issue(person)
  const [holderKey, dpopKey] = [await newKey(), await newKey()]
  const accepted = await accept(newWallet([holderKey, dpopKey]), exchange.credentialOffer, { holderKey, dpopKey })
  assert.equal(accepted.token.token_type, 'DPoP')

  const { header, payload, signed, claims } = await verify(accepted.credential)
  assert.equal(header.typ, 'dc+sd-jwt')
  assert.equal(payload.vct, 'urn:eudi:pid:1')
  assert.equal(signed.given_name, undefined, 'a claim that the holder may withhold is not in the signed payload')
  assert.equal(payload.cnf.jwk.x, holderKey.publicJwk.x)
  assert.equal(claims.given_name, 'Ada')
  assert.deepEqual(claims.address, { locality: 'London' })
  assert.deepEqual(claims.nationalities, ['GB', 'FR'])
  assert.match((await organisation.history(exchange.id)).status, /^credential_(issued|acked)$/)
})

test('an outside wallet accepts an offer with a transaction code and a Bearer token', async () => {
  const organisation = await createOrganisation(slug('bearer'))
  const exchange = await organisation.issue(person, { userPin: '493027' })
  const holderKey = await newKey()
  const accepted = await accept(newWallet([holderKey]), exchange.credentialOffer, { holderKey, txCode: '493027' })
  assert.equal(accepted.token.token_type, 'Bearer')
  assert.equal((await verify(accepted.credential)).claims.given_name, 'Ada')
})

test('an outside wallet that must show a DPoP nonce finds it and goes on', async () => {
  const organisation = await createOrganisation(slug('nonce'), { dpopNonce: 'require' })
  const exchange = await organisation.issue(person)
  const [holderKey, dpopKey] = [await newKey(), await newKey()]
  const accepted = await accept(newWallet([holderKey, dpopKey]), exchange.credentialOffer, { holderKey, dpopKey })
  assert.equal((await verify(accepted.credential)).claims.given_name, 'Ada')
})

test('a credential with one changed character is refused by the outside verifier', async () => {
  const organisation = await createOrganisation(slug('forged'))
  const exchange = await organisation.issue(person)
  const holderKey = await newKey()
  const { credential } = await accept(newWallet([holderKey]), exchange.credentialOffer, { holderKey })
  const [jwt, ...disclosures] = credential.split('~')
  const [header, payload, signature] = jwt.split('.')
  const flipped = (signature[10] === 'A' ? 'B' : 'A') + signature.slice(11)
  const forged = [`${header}.${payload}.${signature.slice(0, 10)}${flipped}`, ...disclosures].join('~')
  await assert.rejects(verify(forged))
})
