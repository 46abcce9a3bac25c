/**
 * Every code that an error or a fault of the admin API can carry, with its sentence for docs/errors.md. One closed list, in
 * which a code never changes its meaning: add yours to its group.
 */
export const CODES = {
  // The call
  malformed: 'The body is not readable as the content type it claims to be.',
  empty_body: 'The route needs a body and none was sent.',
  bad_cursor: 'The cursor was not made by this list.',
  bad_header: 'A header has a value that cannot be read.',
  unauthorized: 'No API key, or one that is not known.',
  forbidden: 'The API key lacks the scope that the route needs.',
  not_found: 'There is no such thing, or it belongs to another advertiser.',
  method_not_allowed: 'The address exists, but not with this method; see the Allow header.',
  unsupported_media_type: 'The route does not take this content type.',
  body_too_large: 'The body is over the limit.',
  line_too_large: 'A line or record of the body is over the limit.',
  exists: 'A thing with this id exists already.',
  in_use: 'The thing cannot be deleted while others refer to it.',
  conflict: 'The thing is in a state that does not allow this.',
  precondition_required: 'A change of an existing thing needs an If-Match header with its ETag.',
  precondition_failed: 'The thing was changed since: its ETag is another one.',
  idempotency_mismatch: 'The Idempotency-Key was used before with another body.',
  idempotency_running: 'The first call with this Idempotency-Key is still running.',
  validation: 'The body or the query is not valid; every fault is listed in errors.',
  unavailable: 'A part that the route needs is away; try again after Retry-After seconds.',
  timeout: 'The question took longer than a question may.',
  internal: 'A fault of ours; the requestId finds it in the log.',

  // The shape of a value
  type: 'The value has another type than it must have.',
  required: 'The member is missing.',
  unknown_property: 'There is no such member.',
  unknown_variant: 'The member that says which kind this is has no known value.',
  enum: 'The value is none of those allowed.',
  minimum: 'The number is too small.',
  maximum: 'The number is too large.',
  step: 'The number is not a multiple of the step.',
  too_short: 'The text or list is too short.',
  too_long: 'The text or list is too long.',
  too_few_properties: 'The object has too few members.',
  too_many_properties: 'The object has too many members.',
  pattern: 'The text does not have the form it must have.',
  format: 'The text is not a readable time, date or address.',
  duplicate: 'The same value is listed twice.',
  shape: 'The value has none of the allowed shapes.',
  read_only: 'The member is set by Walkin and cannot be changed.',

  // References
  unknown_advertiser: 'There is no such advertiser.',
  unknown_store: 'There is no such store, or it belongs to another advertiser.',
  unknown_store_group: 'There is no such store group, or it belongs to another advertiser.',
  unknown_geofence: 'There is no such geofence, or it belongs to another advertiser.',
  unknown_source: 'There is no such source.',
  unknown_segment: 'There is no such segment, or it belongs to another advertiser.',
  unknown_exchange: 'There is no such exchange.',
  unknown_campaign: 'There is no such campaign.',
  unknown_line_item: 'There is no such line item.',
  unknown_creative: 'There is no such creative, or it belongs to another advertiser.',
  immutable: 'The member cannot be changed after creation.',

  // Places
  null_island: 'The coordinates are at or near (0, 0), which is how missing ones look.',
  lat_equals_lon: 'Latitude and longitude are the same number, which is how a copying fault looks.',
  lat_out_of_range: 'The latitude is not between -90 and 90.',
  lon_out_of_range: 'The longitude is not between -180 and 180.',
  ring_too_short: 'A ring needs at least four points, the last equal to the first.',
  ring_not_closed: 'The last point of a ring must be equal to its first.',
  ring_too_long: 'A polygon may have at most 1000 points.',
  self_intersecting: 'A ring touches or crosses itself, or two rings cross.',
  hole_outside: 'A hole of the polygon is not inside its outer ring.',
  crosses_antimeridian: 'The fence crosses the 180th meridian; draw it as two.',
  fence_too_small: 'The fence has no area.',
  fence_too_large: 'The fence is larger than a circle of 50 km radius.',
  fence_away_from_store: 'The store is not in its polygon, nor within 1 km of it.',
  unknown_time_zone: 'There is no such IANA time zone.',
  bad_hours: 'A time of day is not readable as HH:MM.',

  // Campaigns
  end_before_start: 'The end is not after the start.',
  flight_outside_campaign: 'The flight of the line item never meets that of its campaign.',
  landing_domain: 'The landing address is not https or http on one of the advertiser’s domains.',
  unknown_macro: 'A ${…} in the text is no macro of Walkin nor of OpenRTB.',
  bad_domain: 'The text is not a domain name.',
  scope_not_allowed: 'A key that is bound to an advertiser cannot have this scope.',

  // Segments
  segment_cycle: 'The segment needs itself, directly or through others.',
  empty_group: 'A group of rules must hold at least one.',
  rule_too_deep: 'The rule is nested too deeply.',
  rule_too_large: 'The rule has too many parts.',
  window_not_positive: 'A sliding window must be at least one day long.',
  window_reversed: 'The window ends before it begins.',
  range_reversed: 'The minimum is above the maximum.',

  // Reports
  window_too_long: 'The window is longer than a report may cover.',
  too_many_rows: 'The report has more rows than an answer may have.',

  // Events and imports
  unknown_event: 'There is no event of this type.',
  no_identifier: 'No identifier names anybody: all are empty, zeroed or placeholders.',
  unknown_identifier_kind: 'There is no identifier of this kind.',
  bad_time: 'The time is not readable, or out of the accepted range.',
  bad_amount: 'The amount is not a decimal number.',
  bad_number: 'The text is not a number.',
  consent_missing: 'There is no consent to use this location; it is not kept.',
  personal_attribute: 'The attribute looks like an e-mail, phone or device id: such belong in identifiers, where they are keyed.',
  bad_encoding: 'The bytes are not UTF-8 or not the gzip they claim to be.',
  not_json: 'The body or line is not readable as JSON.',
  bad_csv: 'The line is not readable as CSV.',
  missing_column: 'The file lacks a column that the mapping names.',
  missing_mapping: 'A CSV import needs a mapping.',
  missing_file: 'The import has no file yet.',
  unknown_field: 'The mapping names a field that this import does not have.',
  missing_field: 'The mapping has no column for a field that this import needs.',
} as const;

export type ErrorCode = keyof typeof CODES;
