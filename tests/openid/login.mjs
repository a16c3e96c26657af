// An OpenID provider on loopback for one person, who agrees to everything: alice@example.test of the group devs.
//
//     node login.mjs PORT MODULES ACCESS_TOKEN_SECONDS
//
// Access tokens are JSON Web Tokens for the resource that is asked for. Refresh tokens are taken once each and replaced.
// It says `ready` when it listens.

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [port, modules, seconds] = process.argv.slice(2)
const found = createRequire(pathToFileURL(`${modules}/package.json`)).resolve('oidc-provider')
const { Provider } = await import(pathToFileURL(found))

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'desktop',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
  }],
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  conformIdTokenClaims: false,
  rotateRefreshToken: true,
  issueRefreshToken: async (_context, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  pkce: { required: () => true },
  ttl: { AccessToken: Number(seconds), IdToken: 300, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, DeviceCode: 600 },
  extraTokenClaims: () => ({ groups: ['devs'], name: 'Alice Example' }),
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://bench.test/records',
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        scope: '', audience: resource, accessTokenTTL: Number(seconds), accessTokenFormat: 'jwt',
      }),
    },
  },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: 'Alice Example', email: 'alice@example.test', email_verified: true }),
  }),
})

async function agree(request, response) {
  const { params, session, grantId } = await provider.interactionDetails(request, response)
  const accountId = session?.accountId ?? 'alice'
  const grant = (grantId && await provider.Grant.find(grantId)) || new provider.Grant({ accountId, clientId: params.client_id })
  grant.addOIDCScope(params.scope ?? 'openid')
  await provider.interactionFinished(request, response, {
    login: { accountId }, consent: { grantId: await grant.save() },
  }, { mergeWithLastSubmission: true })
}

const callback = provider.callback()
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return callback(request, response)
  agree(request, response).catch((error) => { response.statusCode = 500; response.end(String(error)) })
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
