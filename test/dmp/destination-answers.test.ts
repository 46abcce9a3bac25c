import { describe, expect, test } from 'vitest';
import { type Answer, readAnswers } from '../../dmp/destinations/answers.ts';
import { readResult } from '../../dmp/destinations/result.ts';
import type { DestinationKind } from '../../dmp/sources/purposes.ts';

const faultsOf = (kind: DestinationKind, ...answers: Answer[]) => {
  const read = readAnswers(answers, kind);
  return Array.isArray(read) ? read.map(({ pointer, code }) => [pointer, code]) : read;
};
const google = (of: object, requestStatus = 'SUCCESS', more: object = {}) => ({
  requestStatusPerDestination: [
    { destination: {}, requestStatus, audienceMembersIngestionStatus: { userDataIngestionStatus: of }, ...more },
  ],
});

describe('Google', () => {
  test('tells a request by its records, what it refused, and a range of the rate', () => {
    const errorInfo = { errorCounts: [{ recordCount: '40', reason: 'PROCESSING_ERROR_REASON_INVALID_FORMAT' }] };
    const answer = google({
      recordCount: '1000',
      userIdentifierCount: '1500',
      uploadMatchRateRange: 'MATCH_RATE_RANGE_31_TO_40',
    });
    const partly = google({ recordCount: '500', uploadMatchRateRange: 'MATCH_RATE_RANGE_LESS_THAN_20' }, 'PARTIAL_SUCCESS', {
      errorInfo,
    });
    expect(readAnswers([answer], 'google_customer_match')).toMatchObject({
      received: 1000,
      matched: null,
      range: { from: 0.31, to: 0.4 },
    });
    expect(readAnswers([answer, partly], 'google_customer_match')).toEqual({
      ...{ received: 1500, matched: null, rejected: 40, kinds: [], range: { from: 0, to: 0.4 } },
      errors: [{ code: 'PROCESSING_ERROR_REASON_INVALID_FORMAT', count: 40 }],
    });
  });

  test('tells no rate of devices, nor of lists that are too small', () => {
    const mobile = { mobileDataIngestionStatus: { recordCount: '7', mobileIdCount: '7' } };
    const devices = { requestStatusPerDestination: [{ requestStatus: 'SUCCESS', audienceMembersIngestionStatus: mobile }] };
    const small = google({ recordCount: '3', uploadMatchRateRange: 'MATCH_RATE_RANGE_NOT_ELIGIBLE' });
    for (const answer of [devices, small]) expect(readAnswers([answer], 'google_customer_match')).not.toHaveProperty('range');
  });

  test('tells an offline user data job by its range alone, as the search answers it or as it is', () => {
    const offlineUserDataJob = {
      ...{ resourceName: 'customers/1/offlineUserDataJobs/2', status: 'SUCCESS' },
      operationMetadata: { matchRateRange: 'MATCH_RANGE_91_TO_100' },
    };
    for (const answer of [{ results: [{ offlineUserDataJob }] }, { offlineUserDataJob }, offlineUserDataJob])
      expect(readAnswers([answer], 'google_customer_match')).toEqual({
        ...{ received: null, matched: null, rejected: 0, kinds: [], errors: [], range: { from: 0.91, to: 1 } },
      });
  });

  test('is refused where it runs, failed, or says nothing that counts', () => {
    const kind = 'google_customer_match';
    expect(faultsOf(kind, google({ recordCount: '1' }, 'PROCESSING'))).toEqual([
      ['/answers/0/requestStatusPerDestination/0/requestStatus', 'conflict'],
    ]);
    expect(faultsOf(kind, { status: 'RUNNING' }, { status: 'FAILED', failureReason: 'NEWLY_OBSERVED_DISALLOWED' })).toEqual([
      ['/answers/0/status', 'conflict'],
      ['/answers/1/status', 'conflict'],
    ]);
    expect(faultsOf(kind, { status: 'SUCCESS' })).toEqual([['/answers/0/operationMetadata/matchRateRange', 'required']]);
    expect(faultsOf(kind, { requestStatusPerDestination: [] })).toEqual([['/answers/0/requestStatusPerDestination', 'required']]);
    expect(faultsOf(kind, google({ recordCount: '1', uploadMatchRateRange: 'MATCH_RANGE_31_TO_40' }))).toMatchObject([
      [expect.any(String), 'enum'],
    ]);
    expect(faultsOf(kind, { num_received: 1 })).toEqual([['/answers/0', 'shape']]);
  });
});

describe('Meta', () => {
  test('tells what it could read of each batch, and never how many it knows', () => {
    const batch = { audience_id: '1', session_id: '2', num_received: 10_000, num_invalid_entries: 12, invalid_entry_samples: {} };
    expect(readAnswers([batch, { ...batch, num_received: 500, num_invalid_entries: 0 }], 'meta_custom_audience')).toEqual({
      ...{ received: 10_500, matched: null, rejected: 12, kinds: [], errors: [{ code: 'num_invalid_entries', count: 12 }] },
    });
  });

  test('is refused where it is an error, or counts nothing', () => {
    const kind = 'meta_custom_audience';
    expect(faultsOf(kind, { error: { message: 'Invalid parameter', code: 100 } })).toEqual([['/answers/0/error', 'conflict']]);
    expect(faultsOf(kind, { num_received: 1 })).toEqual([['/answers/0/num_invalid_entries', 'required']]);
    expect(faultsOf(kind, { num_received: -1, num_invalid_entries: 0 })).toEqual([['/answers/0/num_received', 'type']]);
    expect(faultsOf(kind, { num_received: 1, num_invalid_entries: 2 })).toEqual([['/answers/0/num_received', 'minimum']]);
  });
});

describe('Yandex', () => {
  const segment = { id: 1, type: 'uploading', status: 'processed', hashed: true, content_type: 'crm' };
  const counts = { item_quantity: 1200, valid_unique_quantity: 1000, matched_quantity: 620, matched_percentage: '62' };

  test('tells lines, those that are valid and once, and those that it knows', () => {
    expect(readAnswers([{ segment: { ...segment, ...counts } }], 'yandex_audience')).toEqual({
      ...{ received: 1200, matched: 620, rejected: 200, kinds: [], errors: [{ code: 'invalid_or_repeated', count: 200 }] },
    });
    const few = { segment: { ...segment, ...counts, status: 'few_data', matched_quantity: 30 } };
    expect(readAnswers([few], 'yandex_audience')).toMatchObject({ matched: 30, errors: [{}, { code: 'few_data', count: 30 }] });
  });

  test('is refused before it is processed, and where its counts cannot be', () => {
    for (const status of ['uploaded', 'is_processed', 'is_updated', 'processing_failed'])
      expect(faultsOf('yandex_audience', { segment: { ...segment, ...counts, status } })).toEqual([
        ['/answers/0/segment/status', 'conflict'],
      ]);
    expect(faultsOf('yandex_audience', { segment })).toEqual([['/answers/0/segment/item_quantity', 'required']]);
    expect(faultsOf('yandex_audience', { segment: { ...segment, ...counts, matched_quantity: 1001 } })).toEqual([
      ['/answers/0/segment/valid_unique_quantity', 'minimum'],
    ]);
    expect(faultsOf('yandex_audience', {})).toEqual([['/answers/0/segment', 'required']]);
  });
});

describe('Xandr', () => {
  test('tells its job as the service wraps it, and is refused before it is completed', () => {
    const job = { phase: 'completed', num_valid: 90, num_invalid_user: 8, num_past_expiration: 2, num_other_error: 0 };
    const read = readAnswers([{ response: { status: 'OK', batch_segment_upload_job: job } }], 'xandr');
    expect(read).toMatchObject({
      received: 100,
      matched: 90,
      rejected: 10,
      errors: [{ code: 'num_invalid_user', count: 8 }, {}],
    });
    expect(faultsOf('xandr', { batch_segment_upload_job: { ...job, phase: 'processing' } })).toEqual([
      ['/answers/0/batch_segment_upload_job/phase', 'conflict'],
    ]);
    expect(readResult({ batch_segment_upload_job: {} }, 'xandr')).toMatchObject({
      faults: [{ pointer: '/batch_segment_upload_job/num_valid', code: 'required' }],
    });
  });
});

test('who answers nothing is told by counts', () => {
  expect(faultsOf('csv', { num_received: 1 })).toEqual([['/answers', 'unknown_property']]);
});
