package com.example;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import ect.v1.AppendLedgerRequest;
import ect.v1.AppendLedgerResponse;
import ect.v1.AuthorityServiceGrpc;
import ect.v1.AuthorityServiceGrpc.AuthorityServiceBlockingStub;
import ect.v1.IssueRequest;
import ect.v1.IssueResponse;
import ect.v1.ValidateDAGRequest;
import ect.v1.ValidateDAGResponse;
import ect.v1.VerifyRequest;
import ect.v1.VerifyResponse;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import java.io.File;
import java.io.IOException;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** Issues, verifies, records and checks one task: mvn -q exec:java -Dexec.args=host:port */
public final class Client {
  private static final String READER = "urn:example:reader";

  public static void main(String[] args) throws Exception {
    String address = args.length > 0 ? args[0] : "127.0.0.1:8080";
    ManagedChannel channel = Grpc.newChannelBuilder(address, credentials()).build();
    try {
      // One deadline for all calls.
      run(AuthorityServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS));
    } finally {
      channel.shutdown().awaitTermination(10, TimeUnit.SECONDS);
    }
  }

  private static void run(AuthorityServiceBlockingStub authority) throws InvalidProtocolBufferException {
    ByteString input = ByteString.copyFromUtf8("the draft");
    IssueRequest task =
        IssueRequest.newBuilder()
            .setExecAct("review_spec")
            .addAud(READER)
            .setInput(input)
            // A retry with the same id returns the same token.
            .setRequestId(UUID.randomUUID().toString())
            .build();
    IssueResponse issued = authority.issue(task);
    String token = issued.getToken();
    System.out.println("issued " + issued.getClaims().getJti());

    VerifyResponse verdict =
        authority.verify(
            VerifyRequest.newBuilder().setToken(token).setAudience(READER).setInput(input).build());
    System.out.println(verdict.getValid() ? "valid" : verdict.getFinding().getReason());

    AppendLedgerResponse recorded =
        authority.appendLedger(AppendLedgerRequest.newBuilder().setToken(token).build());
    System.out.println("recorded at " + recorded.getEntry().getIndex());

    ValidateDAGResponse graph =
        authority.validateDAG(ValidateDAGRequest.newBuilder().setToken(token).build());
    System.out.println("graph " + graph.getDagReport().getStatus());

    try {
      authority.issue(task.toBuilder().setIss("urn:example:another").build());
    } catch (StatusRuntimeException error) {
      ErrorInfo info = errorInfo(error);
      System.out.println("refused " + info.getReason() + " " + info.getMetadataMap().get("iss"));
    }
  }

  /** Returns the ErrorInfo of an error. Programs use it; the message of the error is for people. */
  private static ErrorInfo errorInfo(StatusRuntimeException error) throws InvalidProtocolBufferException {
    Status status = StatusProto.fromThrowable(error);
    if (status != null) {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) return detail.unpack(ErrorInfo.class);
      }
    }
    throw error; // The error does not come from the service, for example because the connection was refused.
  }

  /** Cleartext, or TLS with the certificate of this workload where ECT_CA, ECT_CERT and ECT_KEY name PEM files. */
  private static ChannelCredentials credentials() throws IOException {
    String cert = System.getenv("ECT_CERT");
    if (cert == null || cert.isEmpty()) return InsecureChannelCredentials.create();
    return TlsChannelCredentials.newBuilder()
        .trustManager(new File(System.getenv("ECT_CA")))
        .keyManager(new File(cert), new File(System.getenv("ECT_KEY")))
        .build();
  }
}
