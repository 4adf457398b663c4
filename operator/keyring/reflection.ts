// The standard gRPC services beside our own: health, and reflection for tools such as grpcurl.
// Open to enrolled and known keys only (server.ts); probes of the kubelet use HTTP.
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { file_grpc_health_v1_health, Health } from "../../crds/proto/gen/grpc/health/v1/health_pb.js";
import {
  file_grpc_reflection_v1_reflection,
  ServerReflection,
  type ServerReflectionRequest,
} from "../../crds/proto/gen/grpc/reflection/v1/reflection_pb.js";
import { Audit, file_zopp_v1alpha1_keyring, Keyring } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";

/** ServingStatus of the standard health service. */
const Status = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
const SERVICES = [Keyring.typeName, Audit.typeName, Health.typeName, ServerReflection.typeName];
const FILES: readonly DescFile[] = [
  file_zopp_v1alpha1_keyring,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
];

/** Adds both services; `ready` is what health answers by. */
export function reflectionAndHealth(router: ConnectRouter, ready: () => boolean): void {
  router.service(Health, {
    check: ({ service }) => {
      if (service !== "" && !SERVICES.includes(service)) return { status: Status.SERVICE_UNKNOWN };
      return { status: ready() ? Status.SERVING : Status.NOT_SERVING };
    },
  });
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield { originalRequest: request, messageResponse: answer(request) };
    },
  });
}

function answer({ messageRequest }: ServerReflectionRequest) {
  if (messageRequest.case === "listServices") {
    return { case: "listServicesResponse", value: { service: SERVICES.map((name) => ({ name })) } } as const;
  }
  const found = FILES.find((file) => {
    if (messageRequest.case === "fileByFilename") return file.proto.name === messageRequest.value;
    return messageRequest.case === "fileContainingSymbol" && holds(file, messageRequest.value);
  });
  if (found === undefined) {
    return {
      case: "errorResponse",
      value: { errorCode: Code.NotFound, errorMessage: "there is no such file or symbol" },
    } as const;
  }
  const files = [toBinary(FileDescriptorProtoSchema, found.proto)];
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: files } } as const;
}

/** A symbol is a service, one of its methods, a message or an enum of the file. */
function holds(file: DescFile, symbol: string): boolean {
  const services = file.services.some(({ typeName }) => symbol === typeName || symbol.startsWith(`${typeName}.`));
  return (
    services ||
    [...file.messages, ...file.enums].some(({ typeName }) => symbol === typeName || symbol.startsWith(`${typeName}.`))
  );
}
