// SPDX-License-Identifier: Apache-2.0

// What an application does with the official auth0 client, call by call. Each
// call is printed as a line of JSON: {name, result} or {name, error}.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AuthenticationClient, UserInfoClient } from 'auth0';

const { DOMAIN, SHORT_DOMAIN, MAILS, SECRET, PRIVATE_KEY, PUBLISHED_KEY, AUDIENCE } = process.env;

const client = (domain, clientId, more) => new AuthenticationClient({ domain, clientId, ...more });
const web = client(DOMAIN, 'web', { clientSecret: SECRET });
const signing = client(DOMAIN, 'server', { clientAssertionSigningKey: readFileSync(PRIVATE_KEY, 'utf8') });
const published = client(DOMAIN, 'published', { clientAssertionSigningKey: readFileSync(PUBLISHED_KEY, 'utf8'), clientAssertionSigningAlg: 'ES256' });
const thief = client(DOMAIN, 'server', { clientAssertionSigningKey: readFileSync(PUBLISHED_KEY, 'utf8'), clientAssertionSigningAlg: 'ES256' });
const symmetric = client(DOMAIN, 'symmetric', { clientSecret: SECRET, idTokenSigningAlg: 'HS256' });
const short = client(SHORT_DOMAIN, 'web', { clientSecret: SECRET });
const impostor = client(DOMAIN, 'web', { clientSecret: 'not the secret of this client at all' });
const stranger = client(DOMAIN, 'nobody', { clientSecret: SECRET });

// call prints what comes of a call and returns its result.
async function call(name, make) {
  try {
    const response = await make();
    const result = { status: response.status };
    if (response.data !== undefined) result.data = response.data;
    console.log(JSON.stringify({ name, result }));
    return response.data;
  } catch (e) {
    const error = { name: e.name, error: e.error, error_description: e.error_description, statusCode: e.statusCode, message: e.message };
    console.log(JSON.stringify({ name, error }));
  }
}

// print is for what isn't a call.
const print = (name, value) => console.log(JSON.stringify({ name, result: value }));

// mail waits for the nth message (from 1) to an address.
async function mail(to, nth = 1) {
  for (;;) {
    let text = '';
    try { text = readFileSync(MAILS, 'utf8'); } catch { /* not yet there */ }
    const found = text.split('\n').slice(0, -1).map((line) => JSON.parse(line)).filter((m) => m.to === to);
    if (found.length >= nth) return found[nth - 1];
    await sleep(20);
  }
}

const code = async (to, nth) => (await mail(to, nth)).code;
const other = (code) => code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);
const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

// A whole life by e-mail.
const scope = 'openid profile email offline_access';
const alice = 'alice@example.com';
await call('sendEmail', () => web.passwordless.sendEmail({ email: alice, send: 'code' }));
const tokens = await call('loginWithEmail', async () =>
  web.passwordless.loginWithEmail({ email: alice, code: await code(alice), scope, audience: AUDIENCE }));
print('access token', claims(tokens.access_token));
print('ID token', claims(tokens.id_token));
const users = new UserInfoClient({ domain: DOMAIN });
await call('getUserInfo', () => users.getUserInfo(tokens.access_token));
await call('getUserInfo of a bad token', () => users.getUserInfo('garbage'));
const renewed = await call('refreshTokenGrant', () => web.oauth.refreshTokenGrant({ refresh_token: tokens.refresh_token }));
print('renewed access token', claims(renewed.access_token));
await call('revokeRefreshToken', () => web.oauth.revokeRefreshToken({ token: renewed.refresh_token }));
await call('refreshTokenGrant after it was revoked', () => web.oauth.refreshTokenGrant({ refresh_token: renewed.refresh_token }));
await call('getUserInfo after it was revoked', () => users.getUserInfo(renewed.access_token));

// A refresh token that is used twice.
const bob = 'bob@example.com';
await call('sendEmail to Bob', () => web.passwordless.sendEmail({ email: bob, send: 'code' }));
const first = await call('loginWithEmail of Bob', async () => web.passwordless.loginWithEmail({ email: bob, code: await code(bob), scope }));
const second = await call('refreshTokenGrant of Bob', () => web.oauth.refreshTokenGrant({ refresh_token: first.refresh_token }));
await call('refreshTokenGrant of a used token', () => web.oauth.refreshTokenGrant({ refresh_token: first.refresh_token }));
await call('refreshTokenGrant of its successor', () => web.oauth.refreshTokenGrant({ refresh_token: second.refresh_token }));

// By SMS.
const phone = '+12025550143';
await call('sendSMS', () => web.passwordless.sendSMS({ phone_number: phone }));
const wrongSMS = other(await code(phone));
await call('loginWithSMS with a wrong code', () => web.passwordless.loginWithSMS({ phone_number: phone, code: wrongSMS }));
await call('loginWithSMS', async () => web.passwordless.loginWithSMS({ phone_number: phone, code: await code(phone), scope: 'openid phone' }));

// Wrong codes.
const carol = 'carol@example.com';
await call('sendEmail to Carol', () => web.passwordless.sendEmail({ email: carol, send: 'code' }));
const right = await code(carol);
for (const nth of ['first', 'second', 'third']) {
  await call(`loginWithEmail with a ${nth} wrong code`, () => web.passwordless.loginWithEmail({ email: carol, code: other(right) }));
}
await call('loginWithEmail with the right code after three wrong ones', () => web.passwordless.loginWithEmail({ email: carol, code: right }));
await call('loginWithEmail of nobody', () => web.passwordless.loginWithEmail({ email: 'nobody@example.com', code: '123456' }));

// An expired code.
const dave = 'dave@example.com';
await call('sendEmail to Dave', () => short.passwordless.sendEmail({ email: dave, send: 'code' }));
const late = await code(dave);
await sleep(4200);
await call('loginWithEmail with an expired code', () => short.passwordless.loginWithEmail({ email: dave, code: late }));

// Clients that prove themselves otherwise, or don't.
const erin = 'erin@example.com';
await call('sendEmail with private_key_jwt', () => signing.passwordless.sendEmail({ email: erin, send: 'code' }));
const signed = await call('loginWithEmail with private_key_jwt', async () =>
  signing.passwordless.loginWithEmail({ email: erin, code: await code(erin), scope }));
const signedAgain = await call('refreshTokenGrant with private_key_jwt', () => signing.oauth.refreshTokenGrant({ refresh_token: signed.refresh_token }));
await call('revokeRefreshToken with private_key_jwt', () => signing.oauth.revokeRefreshToken({ token: signedAgain.refresh_token }));
const ivan = 'ivan@example.com';
await call('sendEmail with a published key', () => published.passwordless.sendEmail({ email: ivan, send: 'code' }));
await call('loginWithEmail with a published key', async () =>
  published.passwordless.loginWithEmail({ email: ivan, code: await code(ivan), scope: 'openid' }));
await call("sendEmail with another client's key", () => thief.passwordless.sendEmail({ email: ivan, send: 'code' }));
const frank = 'frank@example.com';
await call('sendEmail of an HS256 client', () => symmetric.passwordless.sendEmail({ email: frank, send: 'code' }));
const hs = await call('loginWithEmail of an HS256 client', async () =>
  symmetric.passwordless.loginWithEmail({ email: frank, code: await code(frank), scope: 'openid email' }));
print('header of its ID token', JSON.parse(Buffer.from(hs.id_token.split('.')[0], 'base64url')));
await call('sendEmail with a wrong secret', () => impostor.passwordless.sendEmail({ email: alice, send: 'code' }));
await call('sendEmail of an unknown client', () => stranger.passwordless.sendEmail({ email: alice, send: 'code' }));

// Links, and languages: a call with headers of its own goes out as text/plain.
const grace = 'grace@example.com';
await call('sendEmail without send', () => web.passwordless.sendEmail({ email: grace, authParams: { state: 's', scope: 'openid' } }));
const link = await mail(grace);
print('its message', { code: link.code, link: link.link.startsWith(`https://${DOMAIN}/`) });
const heidi = 'heidi@example.com';
const german = { headers: { 'x-request-language': 'de', 'auth0-forwarded-for': '192.0.2.7' } };
await call('sendEmail in German', () => web.passwordless.sendEmail({ email: heidi, send: 'code' }, german));
print('its subject', (await mail(heidi)).subject);
