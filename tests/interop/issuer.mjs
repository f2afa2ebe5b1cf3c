// A fresh organisation on a running server, spoken to in plain HTTP.

const managementUrl = required('CHANCERY_INTEROP_MANAGEMENT_URL')
const platformKey = required('CHANCERY_INTEROP_PLATFORM_KEY')

export async function createOrganisation(slug, policy = {}) {
  const created = await call(platformKey, 'POST', '/v2/platform/organisations', { slug, name: 'Interop', policy })
  const apiKey = created.apiKey.apiKey
  await call(apiKey, 'POST', '/v2/config/digital-wallet/openid/key-management', { algorithm: 'ES256' })
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
        }
      }
    ]
  })
  return {
    issue: async (claims, options = {}) => {
      const body = {
        issuanceMode: 'InTime',
        credentialDefinitionId: credentialDefinition.credentialDefinitionId,
        credential: { vct: 'urn:eudi:pid:1', claims },
        userPin: '',
        ...options
      }
      const { credentialHistory } = await call(apiKey, 'POST', '/v2/config/digital-wallet/openid/sdjwt/credential/issue', body)
      return credentialHistory
    },
    subscribe: async (payloadUrl, digitalWalletWebhook) => {
      const webhook = { payloadUrl, contentType: 'application/json', subscribedEvents: { digitalWalletWebhook } }
      return (await call(apiKey, 'POST', '/v2/config/webhook', { webhook })).webhook
    },
    history: async (id) => {
      const path = `/v2/config/digital-wallet/openid/sdjwt/credential/history/${id}`
      return (await call(apiKey, 'GET', path)).credentialHistory
    }
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
