'use strict';
// A CouchDB-compatible peer for tests: PouchDB behind express-pouchdb, wrapped by a thin HTTP shim.
// usage: node couch-peer.js [port]          env: PEER_AUTH=user:pass  PEER_DIR=<folder: LevelDB on disk, else memory>
const http = require('http'), zlib = require('zlib'), express = require('express');
let P = require('pouchdb-core').plugin(require('pouchdb-adapter-http')).plugin(require('pouchdb-mapreduce'))
  .plugin(require('pouchdb-replication')).plugin(require('pouchdb-find'));
P = process.env.PEER_DIR
  ? P.plugin(require('pouchdb-adapter-leveldb')).defaults({ adapter: 'leveldb', prefix: process.env.PEER_DIR.replace(/\/*$/, '/') })
  : P.plugin(require('pouchdb-adapter-memory')).defaults({ adapter: 'memory' });
const app = express();
app.use('/', require('express-pouchdb')(P, { inMemoryConfig: true, mode: 'minimumForPouchDB', overrideMode: { include: ['routes/find'] } }));
const inner = http.createServer(app).listen(0, '127.0.0.1');

const say = (s, code, o) => { const b = Buffer.from(JSON.stringify(o) + '\n'); s.writeHead(code, { 'content-type': 'application/json', 'content-length': b.length }); s.end(b); };
// like CouchDB, an entry without a rev answers with every leaf revision (tombstones too)
async function bulkGet(name, url, body) {
  const docs = JSON.parse(body).docs, flag = k => new RegExp('[?&]' + k + '=true').test(url), dbs = await P.allDbs();
  if (!dbs.includes(name)) throw Object.assign(new Error(), { status: 404, name: 'not_found', reason: 'Database does not exist.' });
  const db = new P(name);
  const results = [];
  for (const d of docs) {
    const bad = (error, reason) => ({ error: { id: d.id, rev: d.rev || 'undefined', error, reason } });
    let got;
    try {
      const r = await db.get(d.id, { open_revs: d.rev ? [d.rev] : 'all', revs: flag('revs'), attachments: flag('attachments') });
      got = r.map(x => x.ok ? { ok: x.ok } : bad('not_found', 'missing'));
    } catch (e) { got = [bad(e.name === 'not_found' ? 'not_found' : e.name, e.reason || e.message)]; }
    results.push({ id: d.id, docs: got.length ? got : [bad('not_found', 'missing')] });
  }
  return { results };
}
let faults = [];                                   // POST /_test/faults [{method,path(regex),status,delay_ms,drop,times}]
const outer = http.createServer((q, s) => {
  const chunks = [];
  q.on('data', c => chunks.push(c)).on('end', () => {
    let body = Buffer.concat(chunks);
    const path = q.url.split('?')[0];
    if (path === '/_test/faults') { faults = JSON.parse(body || '[]'); return say(s, 200, { ok: true }); }
    if (path === '/_up') return say(s, 200, { status: 'ok', seeds: {} });
    if (process.env.PEER_AUTH) {
      const got = Buffer.from(String(q.headers.authorization || '').replace(/^basic /i, ''), 'base64').toString();
      if (got !== process.env.PEER_AUTH) return say(s, 401, { error: 'unauthorized', reason: got ? 'Name or password is incorrect.' : 'You are not authorized to access this db.' });
    }
    const f = faults.find(x => (!x.method || x.method === q.method) && new RegExp(x.path || '.').test(q.url) && (x.times === undefined || x.times-- > 0));
    const go = () => {
      if (f && f.drop) return q.socket.destroy();
      if (f && f.status) return say(s, f.status, { error: f.error || 'injected', reason: f.reason || 'fault injected by the test' });
      if (q.headers['content-encoding'] === 'gzip') body = zlib.gunzipSync(body);
      const seg = path.split('/').filter(Boolean);
      if (q.method === 'PUT' && seg.length === 1 && !/^[a-z_][a-z0-9_$()+/-]*$/.test(decodeURIComponent(seg[0])))
        return say(s, 400, { error: 'illegal_database_name', reason: 'Name: \'' + seg[0] + '\'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and / are allowed. Must begin with a letter.' });
      if (seg[1] === '_bulk_get' && q.method === 'POST') return bulkGet(decodeURIComponent(seg[0]), q.url, body).then(o => say(s, 200, o), e => say(s, e.status || 500, { error: e.name || 'error', reason: e.reason || e.message }));
      const att = seg.length > 2 && !seg[1].startsWith('_') || seg.length > 3 && seg[1] === '_design' && !seg[3].startsWith('_');
      const h = Object.assign({}, q.headers, { host: 'peer', 'content-length': body.length });
      for (const k of ['authorization', 'accept-encoding', 'content-encoding', 'transfer-encoding', 'expect']) delete h[k];
      if (!att && body.length && !/json|multipart/.test(h['content-type'] || '')) h['content-type'] = 'application/json';   // as lenient as CouchDB
      const up = http.request({ host: '127.0.0.1', port: inner.address().port, method: q.method, path: q.url, headers: h }, r => {
        const info = q.method === 'GET' && seg.length === 1 && !seg[0].startsWith('_');
        const feed = seg[1] === '_changes' && !/[?&]feed=(longpoll|continuous|eventsource)/.test(q.url);
        if (!info && !feed) { s.writeHead(r.statusCode, r.headers); return r.pipe(s); }
        const out = []; r.on('data', c => out.push(c)).on('end', () => {
          let o; try { o = JSON.parse(Buffer.concat(out)); } catch (e) { o = null; }
          if (!o || r.statusCode >= 400) { s.writeHead(r.statusCode, r.headers); return s.end(Buffer.concat(out)); }
          if (info) o.doc_del_count = o.doc_del_count || 0;
          if (feed) { const m = /[?&]limit=(\d+)/.exec(q.url); o.pending = m && o.results.length >= +m[1] ? 1 : 0; }
          say(s, r.statusCode, o);
        });
      });
      up.on('error', e => say(s, 500, { error: 'peer', reason: String(e) }));
      up.end(body);
    };
    f && f.delay_ms ? setTimeout(go, f.delay_ms) : go();
  });
});
outer.listen(+process.argv[2] || 0, '127.0.0.1', () => console.log('couch-peer ready on ' + outer.address().port));
