// A fresh organisation on a running server, spoken to in plain HTTP.

const managementUrl = required('CHANCERY_TEST_MANAGEMENT_URL')
const platformKey = required('CHANCERY_TEST_PLATFORM_KEY')

// `entry` is put over the entry of the definition. `certify` makes a certificate in PEM of a signing request in PEM.
export async function createOrganisation(slug, policy = {}, entry = {}, certify) {
  const created = await call(platformKey, 'POST', '/v2/platform/organisations', { slug, name: 'Interop', policy })
  const apiKey = created.apiKey.apiKey
  const keys = '/v2/config/digital-wallet/openid/key-management'
  const { key } = await call(apiKey, 'POST', keys, { algorithm: 'ES256' })
  if (certify) {
    const { csr } = await call(apiKey, 'POST', `${keys}/${key.id}/csr`, {})
    await call(apiKey, 'PUT', `${keys}/${key.id}/certificate-chain`, { certificateChain: await certify(csr) })
  }
  const { credentialDefinition } = await call(apiKey, 'POST', '/v2/config/digital-wallet/openid/sdjwt/credential-definition', {
    label: 'Identity',
    credentialDefinitions: [
      {
        credentialFormat: 'dc+sd-jwt',
        vct: 'urn:eudi:pid:1',
        claims: {
          claims: [
            { path: ['given_name'], mandatory: true, limitDisclosure: true },
            { path: ['address'], mandatory: false, limitDisclosure: true },
            { path: ['address', 'locality'], mandatory: false, limitDisclosure: true },
            { path: ['nationalities'], mandatory: false, limitDisclosure: false },
            { path: ['nationalities', null], mandatory: false, limitDisclosure: true }
          ]
        },
        ...entry
      }
    ]
  })
  const { credentialDefinitionId, credentialDefinitions } = credentialDefinition
  const issue = async (body) => {
    const answer = await call(apiKey, 'POST', '/v2/config/digital-wallet/openid/sdjwt/credential/issue', {
      issuanceMode: 'InTime',
      credentialDefinitionId,
      ...body
    })
    return answer.credentialHistory
  }
  const historyPath = (id) => `/v2/config/digital-wallet/openid/sdjwt/credential/history/${id}`
  return {
    issuer: created.organisation.issuer,
    issue: (claims, options = {}) => issue({ credential: { vct: 'urn:eudi:pid:1', claims }, userPin: '', ...options }),
    // Claims come later, with `supply`.
    issueDeferred: () => issue({ issuanceMode: 'Deferred', userPin: '' }),
    supply: (id, claims) =>
      call(apiKey, 'PUT', historyPath(id), { credential: { id: credentialDefinitions[0].id, claims } }),
    // The person signs in, and the claims come from there.
    issueToWhoSignsIn: () => issue({ credential: { vct: 'urn:eudi:pid:1' } }),
    connect: (issuer, clientSecret) =>
      call(apiKey, 'PUT', '/v2/config/digital-wallet/openid/identity-provider', {
        issuer,
        clientId: 'chancery',
        clientSecret,
        scopes: ['openid', 'profile']
      }),
    subscribe: async (payloadUrl, digitalWalletWebhook) => {
      const webhook = { payloadUrl, contentType: 'application/json', subscribedEvents: { digitalWalletWebhook } }
      return (await call(apiKey, 'POST', '/v2/config/webhook', { webhook })).webhook
    },
    history: async (id) => (await call(apiKey, 'GET', historyPath(id))).credentialHistory
  }
}

async function call(key, method, path, body) {
  const response = await fetch(managementUrl + path, {
    method,
    headers: { authorization: `ApiKey ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body ? JSON.stringify(body) : undefined
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}

function required(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set; run \`make interop\``)
  return value
}
