/** A small HTTP service of the kind that wedges: `node web-service.ts PORT PIDFILE`. Writes its pid so that it can be restarted. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port = '', pidFile = ''] = process.argv.slice(2);
let served = 0;
createServer((_, response) => {
  served += 1;
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
  response.end(`# TYPE web_requests_total counter\nweb_requests_total ${served}\n`);
}).listen(Number(port), '127.0.0.1', () => writeFileSync(pidFile, `${process.pid}\n`));
