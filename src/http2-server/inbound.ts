// Dispatches the frames of the peer: those of requests go to `requests.ts`, those of the connection are handled here. All of them are
// attacker-controlled: frames that no call needs are counted.

import type { AbuseBudget } from './abuse-budget.ts';
import { ErrorCode, protocolError, sizeError } from './connection-error.ts';
import { checkFrame, priorityFault } from './frame-rules.ts';
import { Flag, FrameType, MAX_WINDOW, SETTINGS_ACK, writeFrame } from './frames.ts';
import type { Requests } from './requests.ts';
import { readInitialWindow } from './settings.ts';
import type { StreamTable } from './stream-table.ts';
import type { WriteQueue } from './write-queue.ts';

/** What it shares with its connection. */
export interface InboundParts {
  readonly writeQueue: WriteQueue;
  readonly streams: StreamTable;
  readonly abuseBudget: AbuseBudget;
  readonly requests: Requests;
  /** The peer has sent GOAWAY. */
  readonly onGoAway: () => void;
  /** The peer has acknowledged a PING. */
  readonly onPong: (payload: Buffer) => void;
}

export class Inbound {
  readonly #parts: InboundParts;
  #hasSettings = false;

  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  /** Whether the peer has sent SETTINGS, which must be its first frame. */
  get hasSettings(): boolean {
    return this.#hasSettings;
  }

  /** Processes one frame. Throws ConnectionError. */
  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { abuseBudget, requests, onGoAway } = this.#parts;
    if (!this.#hasSettings && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      throw protocolError('the first frame is not SETTINGS');
    }
    requests.checkBlock(type, id);
    checkFrame(type, flags, id, end - start);
    switch (type) {
      case FrameType.DATA:
        requests.onData(flags, id, bytes, start, end);
        break;
      case FrameType.HEADERS:
        requests.onHeaders(flags, id, bytes, start, end);
        break;
      case FrameType.CONTINUATION:
        requests.onContinuation(flags, id, bytes.subarray(start, end));
        break;
      case FrameType.RST_STREAM:
        requests.onReset(id);
        break;
      case FrameType.SETTINGS:
        this.#onSettings(flags, bytes.subarray(start, end));
        break;
      case FrameType.PING:
        this.#onPing(flags, bytes.subarray(start, end));
        break;
      case FrameType.WINDOW_UPDATE:
        this.#onWindowUpdate(id, bytes.readUInt32BE(start) & MAX_WINDOW);
        break;
      case FrameType.PRIORITY:
        this.#onPriority(id, bytes.subarray(start, end));
        break;
      case FrameType.GOAWAY:
        abuseBudget.spendControlFrame();
        onGoAway();
        break;
      default:
        // Unknown frames must be ignored (RFC 9113, section 5.5); they are counted.
        abuseBudget.spendControlFrame();
    }
  }

  #onSettings(flags: number, payload: Buffer): void {
    const { abuseBudget, writeQueue, requests } = this.#parts;
    if (this.#hasSettings) abuseBudget.spendControlFrame();
    if (flags & Flag.ACK) return;
    const initialWindow = readInitialWindow(payload);
    this.#hasSettings = true;
    writeQueue.push(SETTINGS_ACK);
    if (initialWindow !== undefined) requests.resizeWindows(initialWindow);
  }

  #onPing(flags: number, payload: Buffer): void {
    const { abuseBudget, writeQueue, onPong } = this.#parts;
    abuseBudget.spendControlFrame();
    if ((flags & Flag.ACK) === 0) writeQueue.push(writeFrame(FrameType.PING, Flag.ACK, 0, payload));
    else onPong(payload);
  }

  #onWindowUpdate(id: number, increment: number): void {
    const { writeQueue, streams, abuseBudget, requests } = this.#parts;
    abuseBudget.spendControlFrame();
    if (id === 0) {
      if (increment === 0) throw protocolError('a window is widened by nothing');
      writeQueue.widen(increment);
      return;
    }
    if (streams.isIdle(id)) throw protocolError('WINDOW_UPDATE without a request');
    const stream = streams.get(id);
    if (increment === 0) requests.streamError(id, ErrorCode.PROTOCOL_ERROR);
    else if (stream === undefined) return;
    else if (stream.sender.window + increment > MAX_WINDOW) requests.streamError(id, ErrorCode.FLOW_CONTROL_ERROR);
    else {
      stream.sender.window += increment;
      writeQueue.pump();
    }
  }

  #onPriority(id: number, payload: Buffer): void {
    const { streams, abuseBudget, requests } = this.#parts;
    abuseBudget.spendControlFrame();
    const fault = priorityFault(id, payload);
    if (fault === undefined) return;
    if (!streams.isIdle(id)) {
      requests.streamError(id, fault === 'size' ? ErrorCode.FRAME_SIZE_ERROR : ErrorCode.PROTOCOL_ERROR);
      return;
    }
    // A stream that was never opened cannot be reset.
    throw fault === 'size' ? sizeError('PRIORITY') : protocolError('a stream depends on itself');
  }
}
