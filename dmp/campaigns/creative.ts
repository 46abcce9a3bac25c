import { type Static, type TSchema, Type } from 'typebox';
import { Id, Name, nullable, oneOf } from '../http/schema.ts';

const closed = { additionalProperties: false } as const;

const Pixels = Type.Integer({ minimum: 1, maximum: 10_000 });
const SecureAddress = Type.String({ pattern: '^https://[^\\s<>"]+$', maxLength: 2_000, description: 'https' });

const MediaFile = Type.Object(
  {
    url: SecureAddress,
    mime: Type.String({ pattern: '^(video|audio|application)/[a-z0-9.+-]+$', maxLength: 100 }),
    bitrate: Type.Integer({ minimum: 1, maximum: 200_000, description: 'kbit/s' }),
    w: Type.Optional(Pixels),
    h: Type.Optional(Pixels),
  },
  closed,
);

const Image = Type.Object(
  {
    type: Type.Integer({ minimum: 1, maximum: 600, description: 'OpenRTB native image type: 1 icon, 3 main' }),
    url: SecureAddress,
    w: Pixels,
    h: Pixels,
  },
  closed,
);

const Data = Type.Unsafe<Record<string, string>>({
  type: 'object',
  patternProperties: { '^([1-9]|1[0-2]|[5-9][0-9]{2})$': { type: 'string', minLength: 1, maxLength: 500 } },
  additionalProperties: false,
  description: 'texts by OpenRTB native data type: 1 sponsored, 2 description, 12 call to action',
  examples: [{ '1': 'Shop', '2': 'Fresh bread at ${STORE_NAME}', '12': 'Visit' }],
});

const of = <Schema extends TSchema>(types: string, schema: Schema) =>
  Type.Optional({
    ...schema,
    description: [types, (schema as { description?: string }).description].filter(Boolean).join('; '),
  } as Schema);

/**
 * An ad. Which of the members it has besides the common ones is said by `type` (`MEMBERS` of creative-media.ts). Texts and
 * `landing` may hold Walkin's macros, see proto/macros.ts.
 */
export const Creative = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    type: oneOf(['banner', 'video', 'audio', 'native'], { default: 'banner' }),
    landing: Type.String({ minLength: 1, maxLength: 2_000 }),
    iurl: Type.Optional(Type.String({ maxLength: 2_000, format: 'uri' })),
    attributes: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 500 }), { uniqueItems: true, default: [] })),
    apis: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 1_000 }), {
        uniqueItems: true,
        description:
          'API frameworks of OpenRTB of which a place must offer one; absent: MRAID where the HTML loads mraid.js, else none',
      }),
    ),
    categories: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 50 }), {
        uniqueItems: true,
        default: [],
        description:
          'IAB categories of Content Taxonomy 1.0 (IAB8); of another one its number goes before (7:1029), and those above it must be named too',
      }),
    ),
    language: nullable(Type.String({ pattern: '^[a-z]{2}$' }), { default: null, description: 'ISO 639-1; null: no words' }),
    w: of('banner', Pixels),
    h: of('banner', Pixels),
    html: of('banner', Type.String({ minLength: 1, maxLength: 100_000 })),
    duration: of('video, audio', Type.Number({ minimum: 1, maximum: 3_600, multipleOf: 0.001, description: 'seconds' })),
    skipAfter: of('video', nullable(Type.Number({ minimum: 0, maximum: 3_600, description: 'seconds; null: not skippable' }))),
    title: of('video, audio, native', Type.String({ minLength: 1, maxLength: 300 })),
    media: of('video, audio', Type.Array(MediaFile, { minItems: 1, maxItems: 20 })),
    data: of('native', Data),
    images: of('native', Type.Array(Image, { maxItems: 20 })),
  },
  closed,
);
type Stored = Static<typeof Creative>;

/** As it is kept. Revisions from before there were types are banners and have no language. */
export type Creative = Omit<Stored, 'type' | 'language'> & Partial<Pick<Stored, 'type' | 'language'>>;
