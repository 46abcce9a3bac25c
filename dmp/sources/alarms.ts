import { Gauge } from 'prom-client';
import type { DmpDeps } from '../deps.ts';
import { ALARM_CODES, type Alarm, quality, shifted } from './quality.ts';

const raised = new Gauge({
  name: 'walkin_quality_alarms',
  help: 'Alarms of the quality of sources, of today and yesterday, by what is wrong',
  labelNames: ['alarm'],
});

/** The alarms of today and yesterday; the metric is set by them. */
export async function alarmsNow({
  warehouse,
  things,
  now,
}: Pick<DmpDeps, 'warehouse' | 'things' | 'now'>): Promise<readonly Alarm[]> {
  const to = new Date(now()).toISOString().slice(0, 10);
  const { alarms } = await quality(warehouse, things, { from: shifted(to, -1), to }, now());
  for (const code of ALARM_CODES) raised.set({ alarm: code }, alarms.filter((alarm) => alarm.code === code).length);
  return alarms;
}
