// Deliveries of webhooks, verified by the Standard Webhooks library.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { createOrganisation } from './issuer.mjs'

async function receiver() {
  const calls = []
  const waiting = []
  const server = createServer(async (request, response) => {
    const pieces = []
    for await (const piece of request) pieces.push(piece)
    const call = { headers: request.headers, body: Buffer.concat(pieces).toString() }
    response.writeHead(204).end()
    const next = waiting.shift()
    if (next) next(call)
    else calls.push(call)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    next: () => (calls.length > 0 ? Promise.resolve(calls.shift()) : new Promise((resolve) => waiting.push(resolve))),
    close: () => server.close()
  }
}

test('an outside library verifies deliveries, and refuses one with a changed character', async () => {
  const organisation = await createOrganisation(`hooks-${Date.now().toString(36)}`)
  const inbox = await receiver()
  const { secretKey } = await organisation.subscribe(inbox.url, ['openid.credential.offer_sent'])
  const exchange = await organisation.issue({ given_name: 'Ada' })
  const { headers, body } = await inbox.next()
  const event = new Webhook(secretKey).verify(body, headers)
  assert.equal(event.type, 'openid.credential.offer_sent')
  assert.equal(event.data.credential.CredentialExchangeId, exchange.id)
  assert.throws(() => new Webhook(secretKey).verify(body.replace('offer_sent', 'offer_lost'), headers))
  assert.throws(() => new Webhook(secretKey).verify(body, { ...headers, 'webhook-id': 'another' }))
  inbox.close()
})
