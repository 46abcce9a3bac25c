import { Ajv } from 'ajv';

/** The bid response of OpenRTB 2.6 as a JSON Schema: types, what must be there, and no name that the specification does not have. */

const text = { type: 'string' };
const name = { type: 'string', minLength: 1 };
const address = { type: 'string', pattern: '^https?://[^\\s]+$' };
const whole = { type: 'integer', minimum: 0 };
const texts = { type: 'array', items: name };
const wholes = { type: 'array', items: whole };
const ext = { type: 'object' };

const bid = {
  type: 'object',
  required: ['id', 'impid', 'price'],
  additionalProperties: false,
  properties: {
    id: name,
    impid: name,
    price: { type: 'number' },
    nurl: address,
    burl: address,
    lurl: address,
    adm: name,
    adm_native: { type: 'object' },
    adid: name,
    adomain: texts,
    bundle: name,
    iurl: address,
    cid: name,
    crid: name,
    tactic: name,
    cattax: whole,
    cat: texts,
    attr: wholes,
    apis: wholes,
    api: whole,
    protocol: whole,
    qagmediarating: whole,
    language: name,
    langb: name,
    dealid: name,
    w: whole,
    h: whole,
    wratio: whole,
    hratio: whole,
    exp: whole,
    dur: whole,
    mtype: { type: 'integer', enum: [1, 2, 3, 4] },
    slotinpod: { type: 'integer', enum: [-1, 0, 1, 2] },
    ext,
  },
};

const seatbid = {
  type: 'object',
  required: ['bid'],
  additionalProperties: false,
  properties: { seat: text, group: { enum: [0, 1] }, bid: { type: 'array', minItems: 1, items: bid }, ext },
};

const response = {
  type: 'object',
  required: ['id'],
  additionalProperties: false,
  properties: {
    id: name,
    bidid: text,
    cur: { type: 'string', pattern: '^[A-Z]{3}$' },
    customdata: text,
    nbr: whole,
    seatbid: { type: 'array', items: seatbid },
    ext,
  },
};

const isResponse = new Ajv({ allErrors: true, strict: true }).compile(response);

/** Faults of a response's shape. */
export function judgeShape(value: unknown): string[] {
  if (isResponse(value)) return [];
  return (isResponse.errors ?? []).map(({ instancePath, message, params }) => {
    const extra = (params as { additionalProperty?: string }).additionalProperty;
    return `${instancePath || 'the response'} ${message}${extra === undefined ? '' : ` (${extra})`}`;
  });
}
