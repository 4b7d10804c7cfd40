/** Branded identifiers: mixing two of them does not compile. Cast once, at the edge, with the functions below. */

export type NodeName = string & { readonly brand: 'NodeName' }
export type Vmid = number & { readonly brand: 'Vmid' }
export type CustomerId = string & { readonly brand: 'CustomerId' }
export type ClusterName = string & { readonly brand: 'ClusterName' }
export type MaintenanceId = string & { readonly brand: 'MaintenanceId' }
export type PlanId = string & { readonly brand: 'PlanId' }
export type WorkOrderId = string & { readonly brand: 'WorkOrderId' }

export const nodeName = (text: string) => text as NodeName
export const vmid = (id: number) => id as Vmid
export const customerId = (text: string) => text as CustomerId
export const clusterName = (text: string) => text as ClusterName
export const maintenanceId = (text: string) => text as MaintenanceId
export const planId = (text: string) => text as PlanId
export const workOrderId = (text: string) => text as WorkOrderId
