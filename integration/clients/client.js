// Asks HOST:PORT for each name, once over HTTP/1.1 and once over HTTP/2.
// usage: node client.js HOST PORT AUTHORITY NAME...
'use strict';
const fs = require('fs');
const http2 = require('http2');
const https = require('https');

const [host, port, authority, ...names] = process.argv.slice(2);
const ca = fs.readFileSync(authority);
const lookup = (name, options, done) => (options.all ? done(null, [{ address: host, family: 4 }]) : done(null, host, 4));

const first = (name) =>
  new Promise((resolve, reject) => {
    const request = https.get({ host: name, port, path: '/v1/models', ca, lookup, agent: false }, (answer) => {
      answer.resume();
      answer.on('end', resolve);
    });
    request.on('error', reject);
  });

const second = (name) =>
  new Promise((resolve, reject) => {
    const session = http2.connect(`https://${name}:${port}`, { ca, lookup });
    session.on('error', reject);
    const request = session.request({ ':path': '/v1/models' });
    request.resume();
    request.on('end', () => session.close(resolve));
    request.end();
  });

(async () => {
  for (const name of names) {
    await first(name);
    await second(name);
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
