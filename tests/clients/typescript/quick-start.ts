// docs/getting-started.md with the types of the API: an organisation, a definition, a credential in a wallet, its record.
// `management.d.ts` is what openapi-typescript makes of openapi/management.json.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import createClient from 'openapi-fetch'
import type { components, paths } from './management.d.ts'

type Problem = components['schemas']['Problem']

const baseUrl = setting('CHANCERY_TEST_MANAGEMENT_URL')
const clientWith = (key: string) => createClient<paths>({ baseUrl, headers: { Authorization: `ApiKey ${key}` } })

const platform = clientWith(setting('CHANCERY_TEST_PLATFORM_KEY'))
const slug = `typescript-${process.pid}`
const created = answered(await platform.POST('/v2/platform/organisations', { body: { slug, name: 'Acme Registry' } }))
console.log(`organisation ${created.organisation.issuer} is ${created.organisation.status}`)

const acme = clientWith(created.apiKey.apiKey)
answered(await acme.POST('/v2/config/digital-wallet/openid/key-management', { body: { algorithm: 'ES256' } }))

const { credentialDefinition } = answered(
  await acme.POST('/v2/config/digital-wallet/openid/sdjwt/credential-definition', {
    body: {
      label: 'Library card',
      credentialDefinitions: [
        {
          credentialFormat: 'dc+sd-jwt',
          vct: `${created.organisation.issuer}/types/library-card`,
          expirationInDays: 365,
          claims: {
            claims: [
              { path: ['name'], mandatory: true, limitDisclosure: true },
              { path: ['card_number'], mandatory: true, limitDisclosure: true },
              { path: ['branches'], mandatory: false, limitDisclosure: false },
              { path: ['branches', null], mandatory: false, limitDisclosure: true }
            ]
          },
          display: { name: 'Library card', backgroundColor: '#7a1f3d', textColor: '#ffffff' }
        }
      ]
    }
  })
)
const { credentialDefinitionId } = credentialDefinition
console.log(`definition ${credentialDefinition.credentialDefinitions[0]?.credentialConfigurationId}`)

const issued = answered(
  await acme.POST('/v2/config/digital-wallet/openid/sdjwt/credential/issue', {
    params: { header: { 'Idempotency-Key': 'card-0815' } },
    body: {
      issuanceMode: 'InTime',
      userPin: '4711',
      credentialDefinitionId,
      credential: { claims: { name: 'Ada Sallinen', card_number: 'L-0815', branches: ['Turku', 'Naantali'] } }
    }
  })
).credentialHistory
console.log(`offered: ${issued.status}`)

const wallet = ['wallet', 'accept', issued.credentialOffer, '--tx-code', '4711']
const accepted = execFileSync(setting('CHANCERY_TEST_PROGRAM'), wallet, { encoding: 'utf8' })
assert.match(accepted, /signature +verified ES256/)
assert.match(accepted, /name +Ada Sallinen/)

const path = { credentialExchangeId: issued.id }
const record = answered(
  await acme.GET('/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}', { params: { path } })
).credentialHistory
assert.equal(record.status, 'credential_accepted')
console.log(`redeemed: ${record.status}`)

const { credentialHistory, pagination } = answered(
  await acme.GET('/v2/config/digital-wallet/openid/sdjwt/credential/history', { params: { query: { limit: 10 } } })
)
assert.deepEqual(credentialHistory.map((listed) => listed.id), [issued.id])
assert.equal(pagination.totalItems, 1)

const { events } = answered(
  await acme.GET('/v2/config/digital-wallet/openid/sdjwt/credential/history/{credentialExchangeId}/transcript', {
    params: { path }
  })
)
console.log(`transcript: ${events.map((event) => event.type).reverse().join(', ')}`)

const refused = await acme.POST('/v2/config/digital-wallet/openid/sdjwt/credential/issue', {
  body: { issuanceMode: 'InTime', userPin: '', credentialDefinitionId, credential: { claims: { name: 'Ada', shoe_size: 38 } } }
})
assert.equal(refused.response.status, 400)
assert.deepEqual(refused.error?.errors.map((place) => place.pointer), ['/credential/claims/shoe_size', '/credential/claims/card_number'])
console.log(`refused: ${refused.error?.detail}`)

function answered<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(answer.error?.detail)
  return answer.data
}

function setting(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set; run \`make interop\``)
  return value
}
