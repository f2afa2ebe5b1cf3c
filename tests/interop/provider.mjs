// The identity provider of an organisation: an OpenID Provider from npm (../provider), and a person at a browser.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../provider/provider.mjs', import.meta.url))
export const clientSecret = 'a secret of the test'

// `redirectUri` is the callback of the organisation. Stop it at the end of the test.
export async function startProvider(redirectUri, people) {
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const client = { client_id: 'chancery', client_secret: clientSecret, redirect_uris: [redirectUri] }
  child.stdin.write(`${JSON.stringify({ client, people })}\n`)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { issuer } = JSON.parse((await lines.next()).value)
  return { issuer, stop: () => child.stdin.end() }
}

// A browser without JavaScript: keeps cookies, follows redirects, fills and sends the first form of each page, until it is
// sent to a URL that begins with `end`. Answers that URL.
export async function browse(start, end, filling) {
  const cookies = {}
  let [url, options] = [start, {}]
  for (let step = 0; step < 30; step += 1) {
    const { host, origin } = new URL(url)
    cookies[host] ??= {}
    const cookie = Object.entries(cookies[host])
      .map(([name, value]) => `${name}=${value}`)
      .join('; ')
    const headers = { cookie, ...(options.body ? { origin } : {}) }
    const response = await fetch(url, { redirect: 'manual', ...options, headers })
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';')
      cookies[host][pair.slice(0, pair.indexOf('='))] = pair.slice(pair.indexOf('=') + 1)
    }
    const location = response.headers.get('location')
    if (location) {
      if (location.startsWith(end)) return location
      ;[url, options] = [new URL(location, url).href, {}]
      continue
    }
    const page = await response.text()
    const form = page.match(/<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/s)
    if (!form) throw new Error(`${url} has no form to go on with: ${response.status} ${page}`)
    ;[url, options] = [new URL(form[1], url).href, { method: 'POST', body: fields(form[2], filling) }]
  }
  throw new Error(`${start} leads nowhere: last to ${url}`)
}

function fields(form, filling) {
  const body = new URLSearchParams()
  for (const [tag, element] of form.matchAll(/<(input|button)\b[^>]*>/g)) {
    const attribute = (wanted) => tag.match(new RegExp(`${wanted}="([^"]*)"`))?.[1]
    const name = attribute('name')
    const isSecondButton = element === 'button' && body.has(name)
    if (name && !isSecondButton) body.append(name, filling[name] ?? attribute('value') ?? '')
  }
  return body
}
