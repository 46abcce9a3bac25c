import type { Segment } from './segment.ts';
import { isSensitiveAudience } from './taxonomy.ts';

/**
 * Words by which a segment is taken for sensitive although nobody said so: special categories of the GDPR (art. 9) and of 152-FZ
 * (art. 10), in English and Russian, as the beginnings of words. Who is taken wrongly asks an admin once; who is missed is shown
 * to everybody.
 */
const WORDS = [
  ...([
    'abortion',
    'addict',
    'aids',
    'alcoholi',
    'antidepress',
    'bankrupt',
    'cancer',
    'casino',
    'church',
    'contracepti',
  ] as const),
  ...(['convict', 'debtor', 'depressi', 'diabet', 'disabilit', 'disabled', 'disease', 'ethnic', 'fertility', 'gambl'] as const),
  ...(['gay', 'hiv', 'illness', 'jewish', 'lesbian', 'lgbt', 'medical', 'medicine', 'mental', 'mosque'] as const),
  ...(['muslim', 'oncolog', 'orthodox', 'patient', 'pharma', 'politic', 'pregnan', 'prescription', 'psychi', 'racial'] as const),
  ...(['relig', 'sexual', 'symptom', 'synagog', 'transgender', 'union member', 'voter'] as const),
  ...(['аборт', 'алкоголи', 'аптек', 'банкрот', 'беремен', 'болезн', 'болен', 'больн', 'верующ', 'вич'] as const),
  ...(['диабет', 'должник', 'заболев', 'зависим', 'избирател', 'инвалид', 'интим', 'казино', 'контрацеп', 'лгбт'] as const),
  ...([
    'лекарств',
    'мечет',
    'мусульман',
    'национальност',
    'онколог',
    'пациент',
    'политич',
    'православ',
    'профсоюз',
    'психи',
  ] as const),
  ...(['религи', 'секс', 'симптом', 'синагог', 'судим', 'церков', 'этнич'] as const),
];

const SENSITIVE_WORD = new RegExp(`(?<![\\p{L}])(?:${WORDS.join('|')})`, 'iu');

type Described = Pick<Segment, 'name' | 'sensitive' | 'taxonomy'>;

/** Why a segment is sensitive by itself, in words; null: it is not. */
export function sensitivityOf({ name, sensitive, taxonomy }: Described): string | null {
  if (sensitive === true) return 'it is marked as sensitive';
  if (taxonomy != null && isSensitiveAudience(taxonomy.id)) return `its taxonomy id ${taxonomy.id} is of a sensitive category`;
  const word = SENSITIVE_WORD.exec(name)?.[0];
  return word === undefined ? null : `its name has "${word}", as sensitive categories have`;
}
