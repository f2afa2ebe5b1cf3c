// An OpenID Provider of panva's oidc-provider on a free loopback port, for the tests of signing in.
//
// The first line of standard input describes it:
//   {"client": {"client_id", "client_secret", "redirect_uris"}, "people": {login: claims}, "now": unix seconds, optional}
// The answer is a line {"issuer"}. Afterwards the line "rotate" makes it sign with a new key and publish no other; the answer
// is a line {"kid"}. It ends with its input, so it does not outlive whoever started it.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import Provider from 'oidc-provider'

// It warns of what is meant for development: everything here is.
console.warn = () => {}
console.info = () => {}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { client, people, now } = JSON.parse((await lines.next()).value)
// The clock of a test stands still.
if (now !== undefined) Date.now = () => now * 1000

const cookieKey = randomBytes(16).toString('hex')
let provider
const server = createServer((request, response) => provider.callback()(request, response)).listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${server.address().port}`
turnKey()
answer({ issuer })

for await (const line of lines) {
  if (line === 'rotate') answer({ kid: turnKey() })
}
process.exit()

function turnKey() {
  const kid = randomBytes(6).toString('hex')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  provider = new Provider(issuer, {
    clients: [client],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [cookieKey] },
    claims: { openid: ['sub'], profile: ['given_name', 'family_name', 'birthdate'], staff: ['staff_id'] },
    scopes: ['openid', 'profile', 'staff'],
    pkce: { methods: ['S256'], required: () => true },
    // Its own pages for signing in and consent: any password will do.
    features: { devInteractions: { enabled: true } },
    findAccount: (_, login) => people[login] && { accountId: login, claims: () => ({ sub: login, ...people[login] }) }
  })
  return kid
}

function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
