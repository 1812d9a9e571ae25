// A crowd at the opening: everybody takes a place in line, waits to be let in, and looks at the first
// performance on sale and its free seats.
//
// BASE_URL says where the API is. `make k6` serves it on a free port and points the default name there.
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';

const BASE_URL = __ENV.BASE_URL || 'http://host.docker.internal:8080/v1/api';
const MEMBERS = 100000;
const POLLS_MAX = 15;
const POLL_EVERY_S = 2;
const LOOK_AROUND_S = 1;

const reachedProgress = new Rate('reached_progress');
const waited = new Trend('waited_ms', true);

export const options = {
  scenarios: {
    opening: {
      executor: 'ramping-vus',
      startVUs: 10,
      stages: [
        { target: 100, duration: '10s' },
        { target: 100, duration: '30s' },
        { target: 0, duration: '10s' },
      ],
    },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_duration: ['p(95)<2000'],
    http_req_failed: ['rate<0.01'],
    reached_progress: ['rate>=0.95'],
  },
};

export default function () {
  const buyer = joinLine(1 + Math.floor(Math.random() * MEMBERS));
  const admitted = buyer !== null && waitForTurn(buyer);
  reachedProgress.add(admitted);
  if (admitted) {
    lookAtSeats(buyer);
  }
  sleep(LOOK_AROUND_S);
}

// Returns the headers that speak for this member from now on, or null when there was no place to be had.
function joinLine(userId) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = http.post(`${BASE_URL}/queue/token`, JSON.stringify({ userId }), { headers });
  const given = check(answer, { 'a place in line is given': (r) => r.status === 200 });
  return given ? { ...headers, Authorization: answer.json('data.queueToken') } : null;
}

function waitForTurn(headers) {
  const since = Date.now();
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    const answer = http.post(`${BASE_URL}/queue/token/check`, null, { headers });
    const told = check(answer, { 'the place is told': (r) => r.status === 200 });
    if (told && answer.json('data.status') === 'PROGRESS') {
      waited.add(Date.now() - since);
      return true;
    }
    sleep(POLL_EVERY_S);
  }
  return false;
}

function lookAtSeats(headers) {
  const schedule = http.get(`${BASE_URL}/concerts/schedule`, { headers });
  const shown = check(schedule, { 'the schedule is shown': (r) => r.status === 200 });
  const first = shown ? schedule.json('data.0.scheduleId') : undefined;
  if (first !== undefined) {
    const seats = http.get(`${BASE_URL}/concerts/seat?scheduleId=${first}`, {
      headers,
      tags: { name: `${BASE_URL}/concerts/seat` },
    });
    check(seats, { 'its free seats are shown': (r) => r.status === 200 });
  }
}
